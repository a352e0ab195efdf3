//! The sheet as a page of documentation: what was measured, in plain words, with its limits and how to repeat it.

use std::fmt::Write as _;

use super::{Section, tables};
use crate::eval::rivals::Rival;
use crate::eval::sheet::Sheet;

const INTRODUCTION: &str = "\
# How often is Vigie right?

Vigie says whether a service is overrun by its users, attacked, or both. This page says how often that is right. It is
written by `vigie eval` itself; no figure was put in by hand.

Worlds are made up packet by packet: people with real network stacks and patience, servers with real queues, attackers
with real tools, mirror ports that lose, double or show one direction only. Each is drawn at random from ranges, and what
really happened in it is written down beside it. Vigie reads the packets through the same code that reads a live link,
with nothing configured but the home country and the prefixes to defend, and its alerts are held against the truth:

- An event is *found* by the first warning or critical alert of its kind, on its target, in its time. One that is never
  found counts as infinitely late; it is not dropped.
- A *false alarm* is a warning or critical alert about nothing that happened.
- A rush of people must be left in peace: no false alarm on its target, and nobody called an attack.
- Intervals are 95 % intervals. Where nothing was seen, the bound is what so many cases can rule out.
";

const LIMITS: &str = "\
## What this does not say

- **The worlds are ours.** They were written apart from the detectors and know no threshold, but the same people wrote
  both. A network will hold things that no simulation does. Recorded captures are checked by tests, and are few.
- Nothing is promised below a tenth of ordinary traffic, or below 50 events a second.
- One HTTP/2 or QUIC connection can carry thousands of requests. Floods of that sort keep connection counts flat: Vigie
  then says that the service is overloaded, not why.
- Robots that behave like people, one cheap request at a time from homes, stay undetermined by design.
- Encryption hides log-ins, addresses of pages and stolen content. What is said of brute force and of data that leaves is
  inferred from volume and shape, and worded so.
- Behind a content network or a proxy there is no geography and no behaviour of single sources. A mirror port that shows
  one direction only hides who failed to answer.
- A genuine crowd from abroad looks like a surge from abroad until its behaviour shows. It stays a warning worded as a
  suspicion.
- Countries are those in which addresses are registered. Forged sources have none.
";

/// Writes the page; `command` is what the reader can type to repeat it.
#[must_use]
pub fn page(sheet: &Sheet, command: &str) -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n## What was run\n\n");
    tables::ran(sheet).iter().for_each(|line| {
        let _ = writeln!(page, "{line}");
    });
    let _ = write!(page, "\nTo repeat it:\n\n```\n{command}\n```\n");
    page.push_str(
        "\nThe same seeds give the same worlds and the same alerts on every machine. `vigie eval --suite quick` takes \
         minutes; `vigie eval DIR` measures captures of your own with truth files beside them.\n",
    );
    for section in tables::of(sheet) {
        write_section(&mut page, &section);
    }
    page.push_str("\n### The other methods\n\n");
    for rival in Rival::ALL {
        let _ = writeln!(page, "- `{rival}`: {}.", rival.description());
    }
    page.push('\n');
    page.push_str(LIMITS);
    write_failures(&mut page, sheet);
    page
}

fn write_section(page: &mut String, section: &Section) {
    let _ = write!(page, "\n## {}\n\n", section.title);
    for words in &section.words {
        let _ = write!(page, "{words}\n\n");
    }
    write_table(page, section);
}

fn write_table(page: &mut String, section: &Section) {
    let rules: Vec<&str> =
        (0..section.head.len()).map(|column| if section.is_number(column) { "---:" } else { "---" }).collect();
    let _ = writeln!(page, "| {} |\n|{}|", section.head.join(" | "), rules.join("|"));
    for row in &section.rows {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
}

fn write_failures(page: &mut String, sheet: &Sheet) {
    page.push_str("\n## What went wrong\n\nEvery failure can be looked at: `vigie eval --suite full --only NAME`.\n");
    for section in tables::failures(sheet, 10) {
        let _ = write!(page, "\n### {}\n\n", section.title);
        for words in &section.words {
            let _ = write!(page, "{words}\n\n");
        }
        write_table(page, &section);
    }
}
