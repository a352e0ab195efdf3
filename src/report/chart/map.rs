//! The world as tiles: a square for each country, near its place, so that small countries are seen as well as large ones
//! and no borders need to be drawn.
//!
//! `tiles.txt` is the map itself, to be read as it is drawn. It was laid out from the middles of the countries (Natural
//! Earth) by a program and mended by hand. Home has a frame and abroad none, so that nothing hangs on colour alone; how
//! much came from where is in four steps of tone, and beside the map in figures.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::country::Country;
use crate::report::page::Escaped;

const TILES: &str = include_str!("tiles.txt");

/// Distance from tile to tile, across and down, and the gap between two.
const ACROSS: usize = 34;
const DOWN: usize = 28;
const GAP: usize = 2;

/// From the upper edge of a tile to the line its code stands on.
const BASE: usize = DOWN / 2 + 7;

/// Shares from which a tile has its second, third and fourth tone.
const STEPS: [f64; 3] = [0.01, 0.05, 0.2];

/// On which side of the border a country is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Side {
    /// It counts as home.
    Home,
    /// It does not.
    Abroad,
    /// It, or what home is, is not known.
    Nowhere,
}

impl Side {
    /// Tells the side of a country by what counts as home.
    pub(in crate::report) fn of(country: Country, home: &[Country]) -> Self {
        match country {
            country if !country.is_known() || home.is_empty() => Self::Nowhere,
            country if home.contains(&country) => Self::Home,
            _ => Self::Abroad,
        }
    }

    /// Returns its class in the page's style.
    pub(in crate::report) const fn class(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Abroad => "abroad",
            Self::Nowhere => "nowhere",
        }
    }
}

/// A country and what came from it.
pub(in crate::report) struct Place {
    pub(in crate::report) country: Country,
    /// Of all that came, 0 to 1.
    pub(in crate::report) share: f64,
    pub(in crate::report) side: Side,
    /// What is said of it, in full.
    pub(in crate::report) said: String,
}

/// Draws a map that is called `title`; what it shows is said in a sentence. `number` tells the page's maps apart. The page
/// must have the [`ground`] once.
pub(in crate::report) fn svg(places: &[Place], title: &str, number: usize) -> String {
    let (width, height) = size();
    let said: Vec<&str> = places.iter().take(8).map(|place| place.said.as_str()).collect();
    let mut svg = format!(
        "<svg class=\"map\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"map-{number}-title\" \
         aria-describedby=\"map-{number}-said\"><title id=\"map-{number}-title\">{}</title>\
         <desc id=\"map-{number}-said\">{}</desc><use href=\"#tiles\"/>",
        Escaped(title),
        Escaped(&said.join("; ")),
    );
    for place in places.iter().filter(|place| place.share > 0.0) {
        if let Some((column, row)) = tile(place.country) {
            draw(&mut svg, place, column * ACROSS, row * DOWN);
        }
    }
    svg + "</svg>"
}

/// Returns what all maps of a page stand on: every tile with its code.
pub(in crate::report) fn ground() -> &'static str {
    &GROUND
}

fn size() -> (usize, usize) {
    let columns = TILES.lines().next().map_or(0, |line| line.split(' ').count());
    (columns * ACROSS, TILES.lines().count() * DOWN)
}

fn draw(svg: &mut String, place: &Place, x: usize, y: usize) {
    let tone = 1 + STEPS.iter().filter(|step| place.share >= **step).count();
    // Writing to a string cannot fail.
    let (left, top, across, down) = (x + GAP / 2, y + GAP / 2, ACROSS - GAP, DOWN - GAP);
    let outline = format!("x=\"{left}\" y=\"{top}\" width=\"{across}\" height=\"{down}\"");
    // Tones are translucent: what lies under them is hidden first.
    let _ = write!(
        svg,
        "<g class=\"tile {} t{tone}\"><title>{}</title><rect class=\"under\" {outline}/><rect class=\"tone\" {outline}/>\
         <text x=\"{}\" y=\"{}\">{}</text></g>",
        place.side.class(),
        Escaped(&place.said),
        x + ACROSS / 2,
        y + BASE,
        place.country
    );
}

/// Written once, since it is the same in every page.
static GROUND: LazyLock<String> = LazyLock::new(|| {
    let (across, down) = (ACROSS - GAP, DOWN - GAP);
    let (mut outline, mut codes) = (String::new(), String::new());
    for (country, column, row) in tiles() {
        let (x, y) = (column * ACROSS, row * DOWN);
        // Writing to a string cannot fail.
        let _ = write!(outline, "M{} {}h{across}v{down}h-{across}z", x + GAP / 2, y + GAP / 2);
        let _ = write!(codes, "<text x=\"{}\" y=\"{}\">{country}</text>", x + ACROSS / 2, y + BASE);
    }
    format!(
        "<svg width=\"0\" height=\"0\" aria-hidden=\"true\" class=\"ground\"><defs><g id=\"tiles\"><path d=\"{outline}\"/>\
         {codes}</g></defs></svg>"
    )
});

/// Returns where a country's tile is: column and row.
fn tile(country: Country) -> Option<(usize, usize)> {
    tiles().find(|(tile, ..)| *tile == country).map(|(_, column, row)| (column, row))
}

fn tiles() -> impl Iterator<Item = (Country, usize, usize)> {
    TILES.lines().enumerate().flat_map(|(row, line)| {
        let codes = line.split(' ').enumerate();
        codes.filter_map(move |(column, code)| code.parse().ok().map(|country| (country, column, row)))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn place(code: &str, share: f64, home: &str) -> Place {
        let country = code.parse().unwrap();
        let side = Side::of(country, &[home.parse().unwrap()]);
        Place { country, share, side, said: format!("{code} <said>") }
    }

    #[test]
    fn every_country_has_one_tile_and_lines_are_of_one_length() {
        let countries: BTreeSet<Country> = tiles().map(|(country, ..)| country).collect();
        assert_eq!((countries.len(), tiles().count()), (250, 250));
        assert!(TILES.lines().all(|line| line.split(' ').count() == 27));
    }

    #[test]
    fn the_map_is_that_of_the_world() {
        let column = |code: &str| tile(code.parse().unwrap()).unwrap().0;
        let row = |code: &str| tile(code.parse().unwrap()).unwrap().1;
        assert!(column("US") < column("FR") && column("FR") < column("RU") && column("RU") < column("JP"));
        assert!(row("NO") < row("FR") && row("FR") < row("DZ") && row("DZ") < row("ZA"));
    }

    #[test]
    fn tone_says_how_much_and_the_side_is_a_class() {
        let places =
            [place("FR", 0.9, "FR"), place("BE", 0.06, "FR"), place("DE", 0.03, "FR"), place("US", 0.005, "FR")];
        let svg = svg(&places, "Where <from>", 3);
        for tile in ["home t4", "abroad t3", "abroad t2", "abroad t1"] {
            assert!(svg.contains(&format!("<g class=\"tile {tile}\">")), "{tile}: {svg}");
        }
        assert!(svg.contains("<title id=\"map-3-title\">Where &lt;from&gt;</title>"), "{svg}");
        assert!(svg.contains(">FR &lt;said&gt;; BE &lt;said&gt;;"), "{svg}");
        // What has no place on the map, and what sent nothing, is not drawn.
        let nowhere = [Place { country: Country::UNKNOWN, ..place("FR", 0.5, "FR") }, place("BE", 0.0, "FR")];
        assert!(!super::svg(&nowhere, "", 0).contains("<g"));
    }

    #[test]
    fn without_a_home_nobody_is_from_abroad() {
        assert_eq!(Side::of("BE".parse().unwrap(), &[]), Side::Nowhere);
        assert_eq!(Side::of(Country::UNKNOWN, &["FR".parse().unwrap()]), Side::Nowhere);
    }
}
