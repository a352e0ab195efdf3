//! What a file that is no pcap or pcapng may be, so that its owner learns what to do with it.
//!
//! Names only: nothing here is read as a capture.

/// What can be done about a file of a recognised kind.
#[derive(Clone, Copy, Debug)]
enum Advice {
    /// Wireshark's tools can convert it.
    Convert,
    /// It has to be decompressed or unpacked first.
    Unpack(&'static str),
    /// It holds no packets.
    NoPackets,
}

use Advice::{Convert, NoPackets, Unpack};

/// First bytes, name, and what to do.
const KINDS: &[(&[u8], &str, Advice)] = &[
    (b"snoop\0\0\0", "a snoop capture (Solaris, RFC 1761)", Convert),
    (b"GMBU", "a Microsoft Network Monitor 2 capture", Convert),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", Convert),
    (b"TRSNIFF data", "a Sniffer capture", Convert),
    (b"XCP\0", "a NetXRay or Sniffer capture", Convert),
    (b"iptrace ", "an AIX iptrace capture", Convert),
    (b"\x7fver", "an OmniPeek capture", Convert),
    (b"btsnoop\0", "a Bluetooth HCI log", Convert),
    (b"NCF\0", "a CommView capture", Convert),
    (b"\xa1\xb2\x34\xcd", "a capture in a patched pcap format", Convert),
    (b"\xcd\x34\xb2\xa1", "a capture in a patched pcap format", Convert),
    (b"\xa1\x2b\x3c\x4d", "a Navtel capture", Convert),
    (b"\x4d\x3c\x2b\xa1", "a Navtel capture", Convert),
    (b"\x1c\x00\x01\xac", "an Ixia hardware capture", Convert),
    (b"\xac\x01\x00\x1c", "an Ixia hardware capture", Convert),
    (b"\x1c\x00\x01\xab", "an Ixia software capture", Convert),
    (b"\xab\x01\x00\x1c", "an Ixia software capture", Convert),
    (b"BZh", "compressed with bzip2", Unpack("bzip2 -dc FILE | vigie replay -")),
    (b"\xfd7zXZ\0", "compressed with xz", Unpack("xz -dc FILE | vigie replay -")),
    (b"\x04\x22\x4d\x18", "compressed with lz4", Unpack("lz4 -dc FILE | vigie replay -")),
    (b"\x5d\x00\x00", "compressed with lzma", Unpack("xz -dc FILE | vigie replay -")),
    (b"\x1f\x9d", "compressed with compress", Unpack("gzip -dc FILE | vigie replay -")),
    (b"\x1f\x8b", "compressed twice", Unpack("gzip -dc FILE | vigie replay -")),
    (b"\x28\xb5\x2f\xfd", "compressed twice", Unpack("zstd -dc FILE | vigie replay -")),
    (b"PK\x03\x04", "a zip archive", Unpack("unzip -p FILE | vigie replay -")),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", Unpack("7z x -so FILE | vigie replay -")),
    (b"Rar!", "a RAR archive", Unpack("unrar p -inul FILE | vigie replay -")),
    (b"\xa5\x0c", "a file of nfdump flow records", NoPackets),
    (b"\x0c\xa5", "a file of nfdump flow records", NoPackets),
    (b"\xde\xad\xbe\xef", "a file of SiLK flow records", NoPackets),
    (b"PAR1", "a Parquet table", NoPackets),
    (b"SQLite format 3", "an SQLite database", NoPackets),
    (b"\x7fELF", "a program", NoPackets),
    (b"%PDF", "a PDF document", NoPackets),
    (b"\x89PNG", "a picture", NoPackets),
];

/// Says what the beginning of a file that is no capture looks like, and what to do, as the end of a sentence.
pub(super) fn explain(head: &[u8]) -> String {
    if let Some((_, name, advice)) = KINDS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return sentence(name, *advice);
    }
    if head.get(257..262) == Some(b"ustar") {
        return sentence("a tar archive", Unpack("tar -xOf FILE MEMBER | vigie replay -"));
    }
    if let Some(name) = flow_export(head) {
        return sentence(name, NoPackets);
    }
    if looks_like_erf(head) {
        return sentence("an ERF capture (Endace)", Convert);
    }
    text(head).map_or_else(
        || {
            let first: Vec<String> = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("begins with {}, which no pcap or pcapng file does: name a capture file", first.join(" "))
        },
        |name| sentence(name, NoPackets),
    )
}

fn sentence(name: &str, advice: Advice) -> String {
    match advice {
        Convert => format!("is {name}, which is not read: convert it with `editcap -F pcapng FILE NEW.pcapng`"),
        Unpack(command) => format!("is {name}, which is not read directly: use `{command}`"),
        NoPackets => format!("is {name}, not a capture of packets: name a pcap or pcapng file"),
    }
}

/// Recognises stored export messages (RFC 7011 section 3.1, RFC 3954 section 5.1, NetFlow version 5).
fn flow_export(head: &[u8]) -> Option<&'static str> {
    let [major, minor, high, low, ..] = *head else {
        return None;
    };
    let second = u16::from_be_bytes([high, low]);
    match (major, minor) {
        (0, 10) if second >= 16 => Some("a file of IPFIX messages"),
        (0, 9) if (1..=64).contains(&second) => Some("a file of NetFlow 9 messages"),
        (0, 5) if (1..=30).contains(&second) => Some("a file of NetFlow 5 messages"),
        _ => None,
    }
}

/// ERF has no magic: its first record has a known type and lengths that fit each other (type at 8, record length at 10,
/// wire length at 14).
fn looks_like_erf(head: &[u8]) -> bool {
    let (Some(kind), Some([r0, r1, l0, l1, w0, w1])) = (head.get(8), head.get(10..16)) else {
        return false;
    };
    let record = u16::from_be_bytes([*r0, *r1]);
    let (lost, wire) = (u16::from_be_bytes([*l0, *l1]), u16::from_be_bytes([*w0, *w1]));
    (1..=48).contains(&(kind & 0x7f)) && record >= 20 && wire >= 14 && lost < 1_000 && record <= wire.saturating_add(64)
}

/// Names a text by how it begins.
fn text(head: &[u8]) -> Option<&'static str> {
    let printable = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..);
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Some("a text file in UTF-16");
    }
    if !head.iter().all(printable) || head.iter().filter(|byte| byte.is_ascii()).count() * 2 < head.len() {
        return None;
    }
    match head.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => Some("a JSON text"),
        Some(b'<') => Some("an XML or HTML text"),
        _ => Some("a text file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_gets_its_advice() {
        for (head, expected) in [
            (&b"snoop\0\0\0\0\0\0\x02"[..], "is a snoop capture (Solaris, RFC 1761), which is not read: convert it"),
            (b"GMBU\x00\x02", "Network Monitor 2"),
            (b"\xfd7zXZ\0\0", "`xz -dc FILE | vigie replay -`"),
            (b"{\"schema\": \"vigie.truth/1\"}", "is a JSON text, not a capture of packets"),
            (b"# Captures\n\ntext", "is a text file"),
            (b"<html>", "XML"),
            (b"\x00\x0a\x05\x90\x57\x90\xce\x7d\x00\x00\x00\x00", "IPFIX"),
            (b"\x00\x05\x00\x02\x00\x00\x0d\x35", "NetFlow 5"),
            (b"\x00\x09\x00\x0e\x00\x1f\x80\xfd", "NetFlow 9"),
            (b"\x00\x01\x02\x03\x04", "begins with 00 01 02 03, which no pcap"),
            (b"\x12\x34\x56\x78\x9a\xbc\xde\x50\x02\x04\x00\x50\x00\x00\x00\x3c\xff", "ERF"),
        ] {
            let said = explain(head);
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn short_heads_do_no_harm() {
        for length in 0..20 {
            assert!(!explain(&[0x01; 20][..length]).is_empty());
            assert!(!explain(&[0xff; 20][..length]).is_empty());
        }
    }
}
