//! Totals of sites, the origins of what they receive, and their distinct sources. Sums and maxima only, so that one set a
//! shard serves all its partitions.

use crate::country::Country;
use crate::flow::Volume;
use crate::policy::SiteId;
use crate::summary::sketch::{self, Registers};
use crate::summary::stray::{Distinct, Stray, StrayKind, StrayRows};
use crate::summary::{OriginTick, SOURCE_PRECISION, SiteTick};
use crate::time::Tick;

/// Ticks covered by a sketch of distinct sources: 10 s.
pub(crate) const SOURCE_PERIOD_TICKS: u64 = 40;
/// Numbers the periods of distinct sources, 0 to 250; a flow that was never counted has a number outside.
pub(crate) fn source_period(tick: Tick) -> u8 {
    (tick.number() / SOURCE_PERIOD_TICKS % 251) as u8
}

/// Rows of the origin table: no proof, then every country.
const ROWS: usize = 1 + Country::COUNT;

#[derive(Debug)]
struct Site {
    inbound: Volume,
    outbound: Volume,
    internal: Volume,
    strays: Vec<Stray>,
    stray_rows: StrayRows,
    stray_targets: Distinct,
    registers: Box<Registers>,
    by_country: Box<[Volume; ROWS]>,
    /// Rows of `by_country` in use, in the order of their first packet.
    rows: Vec<u16>,
}

impl Site {
    fn new() -> Self {
        Self {
            inbound: Volume::default(),
            outbound: Volume::default(),
            internal: Volume::default(),
            strays: Vec::new(),
            stray_rows: StrayRows::new(),
            stray_targets: Distinct::default(),
            registers: Box::new([0; 1 << SOURCE_PRECISION]),
            by_country: Box::new([Volume::default(); ROWS]),
            rows: Vec::with_capacity(ROWS),
        }
    }

    fn is_idle(&self) -> bool {
        self.inbound.is_zero() && self.outbound.is_zero() && self.internal.is_zero()
    }
}

/// The sites of a shard.
#[derive(Debug, Default)]
pub(crate) struct SiteBook {
    sites: Vec<Site>,
}

impl SiteBook {
    /// Makes room for the sites of a policy; known ones keep their counts.
    pub(crate) fn adopt(&mut self, count: usize) {
        self.sites.resize_with(count.max(self.sites.len()), Site::new);
    }

    /// Counts a packet from outside; `country` is `None` while its flow proved nothing.
    pub(crate) fn count_inbound(&mut self, site: SiteId, country: Option<Country>, wire_len: u32) {
        let Some(site) = self.sites.get_mut(usize::from(site.0)) else { return };
        site.inbound.count(wire_len);
        let row = country.map_or(0, |country| country.index() + 1);
        if site.by_country[row].packets == 0 {
            site.rows.push(u16::try_from(row).unwrap_or(0));
        }
        site.by_country[row].count(wire_len);
    }

    /// Counts a packet to the outside.
    pub(crate) fn count_outbound(&mut self, site: SiteId, wire_len: u32) {
        if let Some(site) = self.sites.get_mut(usize::from(site.0)) {
            site.outbound.count(wire_len);
        }
    }

    /// Counts a packet between protected hosts, at the receiver's site.
    pub(crate) fn count_internal(&mut self, site: SiteId, wire_len: u32) {
        if let Some(site) = self.sites.get_mut(usize::from(site.0)) {
            site.internal.count(wire_len);
        }
    }

    /// Returns the row in which strays of a kind are counted.
    pub(crate) fn stray(&mut self, site: SiteId, kind: StrayKind) -> Option<&mut Stray> {
        let site = self.sites.get_mut(usize::from(site.0))?;
        Some(site.stray_rows.row(&mut site.strays, kind))
    }

    /// Counts a host that strays went to by its keyed hash.
    pub(crate) fn count_stray_target(&mut self, site: SiteId, target: u64) {
        if let Some(site) = self.sites.get_mut(usize::from(site.0)) {
            site.stray_targets.insert(target);
        }
    }

    /// Counts a source by its keyed hash.
    pub(crate) fn count_source(&mut self, site: SiteId, source: u64) {
        if let Some(site) = self.sites.get_mut(usize::from(site.0)) {
            sketch::insert(&mut site.registers, source);
        }
    }

    /// Writes the tick's totals, sorted, and begins the next one. On the last tick of a period every site is written, with
    /// its sketch.
    pub(crate) fn close(&mut self, tick: Tick, sites: &mut Vec<SiteTick>, origins: &mut Vec<OriginTick>) {
        let period_ends = tick.closes_period(SOURCE_PERIOD_TICKS);
        for (number, site) in self.sites.iter_mut().enumerate() {
            if site.is_idle() && !period_ends {
                continue;
            }
            let id = SiteId(u16::try_from(number).unwrap_or(u16::MAX));
            let sources =
                period_ends.then(|| std::mem::replace(&mut site.registers, Box::new([0; 1 << SOURCE_PRECISION])));
            site.stray_rows.close(&mut site.strays);
            sites.push(SiteTick {
                site: id,
                inbound: std::mem::take(&mut site.inbound),
                outbound: std::mem::take(&mut site.outbound),
                internal: std::mem::take(&mut site.internal),
                strays: std::mem::take(&mut site.strays),
                stray_targets: std::mem::take(&mut site.stray_targets),
                sources,
            });
            write_origins(id, site, origins);
        }
    }
}

fn write_origins(id: SiteId, site: &mut Site, origins: &mut Vec<OriginTick>) {
    site.rows.sort_unstable();
    for row in site.rows.drain(..).map(usize::from) {
        let country = row.checked_sub(1).map(Country::from_index);
        origins.push(OriginTick { site: id, country, inbound: std::mem::take(&mut site.by_country[row]) });
    }
}
