//! French: what the pages say.

use super::labels::{Legend, LiveLabels, MapLabels, Phases};
use super::{AlertFacts, Gravest, Labels, Words, names, within};
use crate::alert::text::notation::Notation;
use crate::country::Country;
use crate::detect::engine::Home;
use crate::detect::finding::Caveat;
use crate::detect::minute::{MinuteKind, MinuteVerdict, Resource};
use crate::report::live::{Column, Standing};
use crate::report::span::Span;

const N: Notation = Notation::FRENCH;

/// The writer.
#[derive(Debug)]
pub(super) struct French;

impl Words for French {
    fn labels(&self) -> &'static Labels {
        &LABELS
    }

    fn notation(&self) -> Notation {
        N
    }

    fn minute(&self, kind: MinuteKind) -> &'static str {
        match kind {
            MinuteKind::Normal => "normal",
            MinuteKind::RushAbsorbed => "affluence, absorbée",
            MinuteKind::AttackAbsorbed => "attaque, absorbée",
            MinuteKind::Overload => "surcharge",
            MinuteKind::Attack => "attaque",
            MinuteKind::Mixed => "attaque et surcharge",
            MinuteKind::Fault => "panne",
            MinuteKind::Undetermined => "indéterminé",
        }
    }

    fn plain(&self, kind: MinuteKind) -> &'static str {
        match kind {
            MinuteKind::Normal => "Rien d'inhabituel.",
            MinuteKind::RushAbsorbed => {
                "Bien plus de vrais utilisateurs que d'habitude sont venus, et le service a tenu."
            }
            MinuteKind::AttackAbsorbed => "Il y a eu une attaque, et le service a tenu.",
            MinuteKind::Overload => {
                "De vrais utilisateurs ont demandé plus que le service ne pouvait supporter. Aucune attaque ne l'explique."
            }
            MinuteKind::Attack => {
                "Une attaque a perturbé le service. Sans elle, il aurait supporté les vrais utilisateurs."
            }
            MinuteKind::Mixed => {
                "Les vrais utilisateurs demandaient à eux seuls plus que le service ne pouvait supporter, et une attaque \
                 s'y est ajoutée."
            }
            MinuteKind::Fault => {
                "Le service allait mal sans affluence ni attaque : voir l'hébergement, la base de données ou une mise à \
                 jour."
            }
            MinuteKind::Undetermined => "Le service allait mal, et les chiffres ne disent pas pourquoi.",
        }
    }

    fn headline(&self, gravest: Gravest) -> &'static str {
        match gravest {
            Gravest::AttackAndOverload => {
                "Les deux : de vrais utilisateurs ont surchargé le service, et il a été attaqué"
            }
            Gravest::Attack => "Une attaque a perturbé le service",
            Gravest::Overload => "De vrais utilisateurs ont surchargé le service",
            Gravest::Fault => "Le service a failli sans affluence ni attaque",
            Gravest::Undetermined => "Le service allait mal, et les chiffres ne disent pas pourquoi",
            Gravest::AttackBorne => "Une attaque a été supportée sans dommage",
            Gravest::RushBorne => "Une affluence d'utilisateurs a été supportée sans dommage",
            Gravest::Alerts => "Le service a tenu ; des alertes sont à examiner",
            Gravest::NothingJudged => "Rien n'a pu être jugé",
            Gravest::Nothing => "Rien d'inhabituel ne s'est produit",
        }
    }

    fn standing(&self, standing: Standing) -> &'static str {
        match standing {
            Standing::Mixed => "attaque et surcharge",
            Standing::Attack => "attaque",
            Standing::Overload => "surcharge",
            Standing::Trouble => "service en difficulté",
            Standing::Suspicion => "soupçon",
            Standing::Rush => "affluence",
            Standing::Ordinary => "ordinaire",
            Standing::Unjudged => "pas encore jugé",
        }
    }

    fn plain_standing(&self, standing: Standing) -> &'static str {
        match standing {
            Standing::Mixed => {
                "De vrais utilisateurs demandent plus que le service ne peut supporter, et une attaque s'y ajoute."
            }
            Standing::Attack => "Le service est attaqué.",
            Standing::Overload => {
                "De vrais utilisateurs demandent plus que le service ne peut supporter. Aucune attaque ne l'explique."
            }
            Standing::Trouble => "Le service va mal, et ni une affluence ni une attaque ne l'explique.",
            Standing::Suspicion => "Il s'agit peut-être d'une attaque ; les chiffres ne le prouvent pas.",
            Standing::Rush => "Bien plus de vrais utilisateurs que d'habitude sont là.",
            Standing::Ordinary => "Rien d'inhabituel.",
            Standing::Unjudged => "La première minute entière n'est pas encore écoulée.",
        }
    }

    fn minute_figures(&self, minute: &MinuteVerdict) -> String {
        let capacity = minute.capacity_per_second.map(|c| format!(", capacité {}", N.rate(c)));
        format!(
            "{} : demande {}, attaque {}, réponses {}{}",
            self.minute(minute.verdict),
            N.rate(minute.demand_per_second.value),
            N.percent(minute.attack_share.value),
            N.percent(minute.answered_share),
            capacity.unwrap_or_default()
        )
    }

    fn column(&self, column: &Column) -> String {
        format!(
            "achevées {}, inachevées {}, sans réponse {}",
            N.rate(column.completed),
            N.rate(column.unfinished),
            N.rate(column.unanswered)
        )
    }

    fn figures(&self, span: &Span) -> String {
        let demand = format!("demande {}", within(N, span.demand_per_second));
        let least = if span.capacity_is_at_least { "au moins " } else { "" };
        let capacity = span.capacity_per_second.map(|capacity| format!(" de {least}{}", N.rate(capacity)));
        let capacity = capacity.unwrap_or_default();
        let out = span.exhausted.map_or("", ran_out);
        let share = span.attack_share;
        let attack = format!("part d'attaque {}", N.percent_within(share.value, share.low, share.high));
        match span.verdict {
            MinuteKind::Normal => demand,
            MinuteKind::RushAbsorbed if share.value < 0.01 => format!("{demand}, servie"),
            MinuteKind::RushAbsorbed => format!("{demand}, servie ; {attack}"),
            MinuteKind::AttackAbsorbed => format!("{attack} ; {demand}, servie"),
            MinuteKind::Overload | MinuteKind::Mixed => {
                format!("{demand} pour une capacité constatée{capacity} ; {attack}{out}")
            }
            MinuteKind::Attack => format!("{attack} ; {demand}, dans la capacité constatée{capacity}{out}"),
            MinuteKind::Fault => format!("{demand}, dans la capacité constatée{capacity} ; {attack}"),
            MinuteKind::Undetermined => format!("{demand} ; {attack} ; capacité constatée{capacity}"),
        }
    }

    fn more_times(&self, more: usize) -> String {
        format!(" et {more} autres fois")
    }

    fn no_attack(&self) -> &'static str {
        "Aucune attaque n'a été trouvée, il n'y a donc pas d'origine à nommer."
    }

    fn forged(&self, forged: usize, attacks: usize) -> String {
        let some = match (forged, attacks) {
            (1, 1) => "l'attaque".to_owned(),
            (some, all) if some == all => format!("toutes les {all} attaques"),
            (some, all) => format!("{some} des {all} attaques"),
        };
        format!("Les émetteurs de {some} étaient falsifiés : leur origine ne peut être attribuée à aucun pays.")
    }

    fn robots_from(&self, countries: &[String]) -> String {
        let named = if countries.is_empty() { "plusieurs pays".to_owned() } else { countries.join(", ") };
        format!(
            "Un trafic de robots est venu d'adresses enregistrées dans les pays suivants : {named}. Le pays où une adresse \
             est enregistrée ne dit pas qui se trouve derrière."
        )
    }

    fn none_from_abroad(&self) -> &'static str {
        "Les données n'étayent aucune attaque depuis l'étranger."
    }

    fn home_unknown(&self, home: &Home) -> String {
        format!("Le pays à compter comme national n'est pas connu ({}).", self.how_home(home))
    }

    fn lost(&self, packets: u64, lost: u64) -> String {
        match (packets, lost) {
            (0, _) => "Il n'y avait aucun paquet à examiner.".to_owned(),
            (_, 0) => format!("Aucun des {} paquets n'a été perdu.", N.whole(packets)),
            _ => format!(
                "{} des {} paquets ont été perdus avant d'avoir pu être examinés ({}).",
                N.whole(lost),
                N.whole(packets),
                N.percent(lost as f64 / packets as f64)
            ),
        }
    }

    fn shed(&self, share: f64) -> String {
        format!(
            "Davantage de paquets sont venus qu'on n'en pouvait traiter, et {} d'entre eux n'ont pas été comptés : des \
             conversations entières, tirées au sort, dont les débits sont corrigés.",
            N.percent(share)
        )
    }

    fn unread(&self, count: u64, share: f64) -> String {
        format!("{} paquets ({}) n'étaient pas de l'IP ou n'ont pu être lus.", N.whole(count), N.percent(share))
    }

    fn reservation(&self, caveat: Caveat) -> Option<&'static str> {
        match caveat {
            Caveat::OneSided => Some("Un seul sens a été capturé : ce que les serveurs ont répondu n'est pas connu."),
            Caveat::CaptureLoss => Some(
                "Des paquets ont été perdus pendant certaines alertes : leurs débits et proportions peuvent être inexacts.",
            ),
            Caveat::ColdStart => {
                Some("Ce qui est habituel a été appris en quelques minutes de cette capture, non en semaines.")
            }
            Caveat::NoProfile => {
                Some("Ce qui est habituel a été appris en heures ; le moment de la semaine n'a pas été pris en compte.")
            }
            Caveat::YoungProfile => Some("Le profil hebdomadaire avait moins de quinze jours."),
            Caveat::DeclaredEvent => Some(
                "Un événement déclaré était en cours pendant certaines alertes, davantage que d'habitude était attendu.",
            ),
            Caveat::Duplicates => Some("Des paquets ont été vus plus d'une fois ; les débits en ont été corrigés."),
            Caveat::Shed => Some(
                "Par moments, davantage de paquets sont venus qu'on n'en pouvait traiter : les débits ont été estimés sur un échantillon uniforme des conversations.",
            ),
            Caveat::EstimatesDiffer => {
                Some("Deux façons d'estimer la part d'attaque ont divergé pendant une partie de la période.")
            }
            Caveat::ServerSilent => {
                Some("Un serveur ne répondait presque plus : seul le côté de ses clients a pu être jugé.")
            }
            Caveat::Unattributable | Caveat::Reflectors | Caveat::Sampled | Caveat::HumanLike => None,
        }
    }

    fn unarmed(&self, unarmed: usize, tests: usize) -> String {
        format!(
            "{unarmed} des {tests} examens n'ont pu être faits ; les raisons sont données sous « Capture et réglages »."
        )
    }

    fn forgotten(&self, alerts: u64) -> String {
        format!(
            "{alerts} alertes antérieures, les moins graves d'abord, ne sont pas listées : il y en avait trop pour les \
             retenir."
        )
    }

    fn blind_spots(&self) -> [&'static str; 6] {
        [
            "Le lieu où une adresse est enregistrée n'est pas celui où se trouve son utilisateur, et ne dit pas qui il \
             est : des réseaux sont loués, piratés et servent de relais.",
            "Des émetteurs falsifiés n'ont aucune origine. Nommer un pays pour eux n'aurait pas de sens.",
            "Une connexion HTTP/2 ou QUIC peut porter des milliers de requêtes. Une inondation dans peu de connexions \
             apparaît comme une surcharge dont la cause n'est pas visible ici.",
            "Le contenu est chiffré et n'a pas été regardé : on ne peut dire si une identification a réussi, quelle page \
             a été demandée ni ce qui a été copié. De tels constats disent « compatible avec ».",
            "Des robots patients qui se comportent comme des personnes ne se distinguent pas des personnes.",
            "Des attaques de moins d'un dixième du trafic habituel, ou de moins de 50 demandes par seconde, ont pu passer \
             inaperçues.",
        ]
    }

    fn how_home(&self, home: &Home) -> String {
        translated(&home.how)
    }

    fn home_and_table(&self, home: &str, how: &str, table: &str) -> String {
        format!("Pays national : {home} ({how}). Table des pays : {table}.")
    }

    fn name(&self, country: Country) -> Option<&'static str> {
        names::french(country)
    }

    fn why_not(&self, why: &str) -> String {
        translated(why)
    }

    fn alert_facts(&self, facts: &AlertFacts<'_>) -> String {
        let pulse = if facts.pulses > 1 { format!(", {}e vague", facts.pulses) } else { String::new() };
        let when = match facts.end {
            Some(end) => format!("de {} à {end} UTC", facts.start),
            None => format!("depuis {} UTC", facts.start),
        };
        format!(
            "{when} ({}{pulse}) · vue après {} · verdict : {}, confiance {} · indice de {} décades, seuil d'alerte {}",
            facts.length, facts.delay, facts.verdict, facts.confidence, facts.score, facts.line,
        )
    }
}

/// What the engine says in English, and the same in French; `{}` stands for what it fills in. Its other sentences stay
/// as they are.
const ENGINE: &[(&str, &str)] = &[
    ("configured", "configuré"),
    (
        "decided from verified clients: most are registered in {}",
        "déduit des clients vérifiés : la plupart sont enregistrés en {}",
    ),
    (
        "unknown: fewer than three minutes of verified clients were seen; give --home",
        "inconnu : moins de trois minutes de clients vérifiés ont été vues ; donner --home",
    ),
    ("home was decided less than 190 s before", "le pays national a été déduit il y a moins de 190 s"),
    ("nothing was captured", "rien n'a été capturé"),
    ("no protected host was seen for 180 s", "aucune machine protégée n'a été vue pendant 180 s"),
    (
        "no minute passed without a start, a gap or a full flow table",
        "aucune minute n'est passée sans démarrage, interruption ou table de flux pleine",
    ),
    ("no host was seen to talk both ways", "aucune machine n'a été vue échanger dans les deux sens"),
    (
        "no prefix of several hosts is protected: give --protect",
        "aucun préfixe de plusieurs machines n'est protégé : donner --protect",
    ),
    ("home is {}", "pays national : {}"),
    (
        "unknown: only {} verified clients in the first three minutes, 200 are needed: give --home",
        "inconnu : seulement {} clients vérifiés dans les trois premières minutes, il en faut 200 : donner --home",
    ),
    (
        "unknown: no country has 60 % of the {} verified clients: give --home",
        "inconnu : aucun pays n'a 60 % des {} clients vérifiés : donner --home",
    ),
    (
        "unknown: the clients from {} come from too few networks to call it home: give --home",
        "inconnu : les clients de {} viennent de trop peu de réseaux pour en faire le pays national : donner --home",
    ),
    (
        "no server was watched for fourteen days, in this run or by saved state",
        "aucun serveur n'a été observé pendant quatorze jours, ni maintenant ni dans l'état conservé",
    ),
];

fn translated(english: &str) -> String {
    for (from, to) in ENGINE {
        let rest = match from.split_once("{}") {
            None => (*from == english).then_some(""),
            Some((before, after)) => english.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)),
        };
        if let Some(rest) = rest {
            return to.replace("{}", &translated(rest));
        }
    }
    english.to_owned()
}

/// Says what ran out, as a clause; the service itself is what the sentence is about.
const fn ran_out(resource: Resource) -> &'static str {
    match resource {
        Resource::SynQueue => " ; les places pour connexions à demi ouvertes ont manqué",
        Resource::AcceptQueue => " ; la file des connexions en attente était pleine",
        Resource::Connections => " ; les places pour connexions ouvertes étaient épuisées",
        Resource::Service => "",
    }
}

const LABELS: Labels = Labels {
    report: "Vigie : rapport après événement",
    report_of: "Rapport Vigie : {}",
    no_packet: "Aucun paquet n'a été lu.",
    nothing_judged: "Aucune minute n'a pu être jugée : aucun site protégé n'a eu de trafic.",
    nothing_unusual: "Rien d'inhabituel ne s'est produit, à aucune minute.",
    what_happened: "Que s'est-il passé ?",
    from_where: "D'où cela venait-il ?",
    how_sure: "Est-ce sûr ?",
    time_line: "Chronologie",
    map: MapLabels {
        title: "{} : visiteurs par pays",
        whole_run: "Trafic vérifié par pays",
        home: "national",
        abroad: "étranger",
        note: "Plus le ton d'un carreau est soutenu, plus la part est grande : moins de 1 %, 5 %, 20 %, et plus. \
               Un carreau se trouve près de la place de son pays.",
    },
    legend: Legend {
        demand: "demande réelle",
        attack: "attaque",
        answered: "réponses du serveur",
        capacity: "capacité constatée jusqu'alors",
    },
    strip_note: "La bande sous l'axe du temps est le verdict de chaque minute ; les barres en dessous sont les alertes.",
    chart_title: "Demandes par seconde vers {}, par minute : demande, attaque, réponses, capacité",
    chart_caption: "{}, demandes par seconde, UTC",
    quieter_sites: "{} sites plus calmes ne figurent que dans le tableau.",
    minute_by_minute: "Minute par minute",
    minutes_note: "Des minutes consécutives de même verdict forment une ligne. Heures UTC.",
    when: "Quand",
    verdict: "Verdict",
    in_plain_words: "En clair",
    demand: "Demande",
    capacity: "Capacité",
    attack_share: "Part d'attaque",
    answered: "Réponses",
    not_shown: "non constatée",
    at_least: "au moins {}",
    more_changes: "{} autres changements figurent dans le résumé JSON.",
    incidents: "Les incidents et leurs indices",
    no_alert: "Aucune alerte n'a été donnée.",
    more_alerts: "{} autres alertes, aucune plus grave, figurent dans le fichier d'alertes.",
    incident: "Incident",
    filter: "Filtre de capture",
    figure: "Grandeur",
    seen: "Constaté",
    usual: "Habituel",
    largest: "Maximum",
    unknown: "inconnu",
    link: "la liaison surveillée",
    port: "port",
    hosts: "machines",
    heaviest_sources: "Sources vérifiées les plus actives : {}.",
    packets: "paquets",
    origins: "D'où venait le trafic",
    no_origins: "Aucun trafic entrant vers un site protégé n'a été vu.",
    origins_note: "Trafic entrant de toute la période. Un pays n'est donné qu'aux émetteurs qui ont prouvé leur adresse : \
                   c'est celui où cette adresse est enregistrée, non celui où se trouve son utilisateur. Le trafic des \
                   émetteurs qui n'ont rien prouvé est dit « non prouvé » ; les adresses qui ne sont dans aucune table \
                   sont « inconnues » et ne comptent jamais comme étrangères.",
    registered_in: "Enregistré en",
    share: "Part",
    bytes: "octets",
    home: "national",
    unproven: "non prouvé",
    none: "aucun",
    limits: "Ce que les données ne peuvent dire",
    capture_and_settings: "Capture et réglages",
    reproduce: "Avec ceux-ci et la même capture, on obtient les mêmes alertes.",
    capture: "Capture",
    protected_sites: "Sites protégés",
    tests: "Examens",
    settings: "Réglages",
    written_by: "Écrit par Vigie {}.",
    packets_seen: "Paquets vus",
    processed: "Traités",
    discarded: "Écartés",
    dropped: "Perdus",
    dropped_at: "noyau {}, interface {}, délestés {}",
    bytes_on_the_wire: "Octets sur la ligne",
    flows: "Flux",
    late_and_steps: "Trames tardives, sauts d'horloge",
    rate_achieved: "Cadence de traitement",
    rate_units: ["paquets/s", "k paquets/s", "M paquets/s"],
    rate_in: "{} en {}",
    fault: "Défaut",
    found: "trouvé dans le trafic",
    configured: "configuré",
    at_work_since: "actif depuis {}",
    not_at_work: "inactif",
    to: "à",
    colon: " : ",
    live: LiveLabels {
        skip: "Aller aux verdicts",
        judged_until: "jugé jusqu'à {} UTC",
        nothing_yet: "rien n'est encore jugé",
        phases: Phases {
            starting: "démarrage",
            running: "en marche",
            ended: "terminé",
            stalled: "bloqué : aucun trafic n'est jugé",
            failed: "échec",
        },
        no_scripts: "Sans scripts, cette page se recharge d'elle-même toutes les cinq secondes.",
        pause: "Suspendre la mise à jour",
        go_on: "Reprendre la mise à jour",
        paused: "La mise à jour est suspendue.",
        lost: "Vigie ne répond pas : ce qui est affiché date de {}.",
        span: "Durée affichée",
        language: "Langue",
        now: "En ce moment",
        no_site: "Aucun site protégé n'est encore connu. Nommer ce qui est à défendre avec --protect, ou attendre qu'il \
                  soit trouvé dans le trafic.",
        requests: "demandes par seconde",
        usually: "d'habitude {}, au plus {}",
        usual_unknown: "l'habitude n'est pas encore connue",
        answered: "ont une réponse du serveur",
        unfinished: "laissées inachevées par les clients",
        abroad: "des visiteurs viennent de l'étranger",
        sources: "sources en dix secondes",
        last_minute: "dernière minute entière, {} : {}",
        completed: "achevées par le client",
        left: "répondues, laissées inachevées par le client",
        unanswered: "sans réponse, ou refusées",
        usual_range: "plage habituelle",
        chart_caption: "{} : demandes de connexion TCP par seconde, UTC",
        table: "La même chose en tableau",
        time: "Heure",
        origins: "D'où viennent les visiteurs",
        origins_note: "Connexions des deux dernières minutes dont le client a prouvé son adresse, par pays où cette adresse \
                       est enregistrée. Ce n'est pas celui où se trouve son utilisateur. Les émetteurs falsifiés n'ont \
                       ici aucun pays.",
        home_side: "national",
        abroad_side: "étranger",
        unknown_side: "non connu",
        other_countries: "{} autres pays",
        hour_share: "Le repère sur une barre est la part sur l'heure.",
        no_connection: "Aucune connexion vérifiée dans les deux dernières minutes.",
        unproven_share: "{} des paquets entrants venaient d'émetteurs qui n'ont rien prouvé.",
        open: "Incidents en cours",
        none_open: "Aucun.",
        evidence: "Indices, plage habituelle et filtre de capture",
        closed: "Terminés récemment",
        none_closed: "Aucun.",
        health: "Santé de la sonde",
        health_good: "La sonde voit ce qu'elle doit voir.",
        health_bad: "La sonde ne voit pas tout : les verdicts de cette période sont moins sûrs.",
        lost_in_minute: "Perdus dans la dernière minute",
        lag: "Retard sur l'horloge",
        lag_replay: "trafic enregistré",
        directions: "Sens vus",
        both_directions: "les deux",
        one_direction: "un seul : ce que les serveurs répondent n'est pas connu",
        duplicates: "Vu deux fois",
        counted: "Conversations comptées",
        sampling: "Ouvertures suivies",
        sampling_all: "toutes",
        sampling_part: "1 sur {} : les chiffres sont des estimations",
        flows_in_table: "Flux dans la table",
        about: "Ce qui est surveillé, et avec quoi",
        protected: "Protégé",
        learning: "D'autres sont appris du trafic.",
        not_at_work: "Détecteur inactif",
        for_programs: "Pour les programmes",
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::engine::Engine;
    use crate::hash::Seed;
    use crate::policy::Policy;

    #[test]
    fn what_the_engine_says_of_itself_is_french_too() {
        let engine = Engine::new(crate::detect::engine::Settings::default(), Policy::default().into(), Seed::default());
        let said: Vec<String> =
            engine.armed().into_iter().filter_map(|armed| armed.why_not).chain([engine.home().how]).collect();
        assert!(said.len() > 10, "an engine that has seen nothing gives its reasons");
        let said = said.into_iter().chain(["home was decided less than 190 s before".to_owned()]);
        for english in said {
            assert_ne!(translated(&english), english, "no French for this");
        }
        assert_eq!(
            translated("decided from verified clients: most are registered in FR"),
            "déduit des clients vérifiés : la plupart sont enregistrés en FR"
        );
        assert_eq!(
            translated("home is unknown: fewer than three minutes of verified clients were seen; give --home"),
            "pays national : inconnu : moins de trois minutes de clients vérifiés ont été vues ; donner --home"
        );
    }
}
