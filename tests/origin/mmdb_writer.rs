//! Writes small files in MaxMind DB format 2.0 (maxmind.github.io/MaxMind-DB), so that every layout can be tested:
//! 24-bit records, no pointers, no shared data.

use vigie::address::Prefix;

/// A value of the data section.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(&'static str),
    U16(u16),
    U32(u32),
    U64(u64),
    Map(Vec<(&'static str, Value)>),
    Array(Vec<Value>),
}

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                control(2, text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::U16(number) => bytes(5, &number.to_be_bytes(), out),
            Self::U32(number) => bytes(6, &number.to_be_bytes(), out),
            Self::U64(number) => bytes(9, &number.to_be_bytes(), out),
            Self::Map(fields) => {
                control(7, fields.len(), out);
                for (name, value) in fields {
                    Self::Text(name).write(out);
                    value.write(out);
                }
            }
            Self::Array(values) => {
                control(11, values.len(), out);
                values.iter().for_each(|value| value.write(out));
            }
        }
    }
}

fn bytes(kind: u8, number: &[u8], out: &mut Vec<u8>) {
    control(kind, number.len(), out);
    out.extend_from_slice(number);
}

fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let size = u8::try_from(size).unwrap();
    let (short, extra) = if size < 29 { (size, None) } else { (29, Some(size - 29)) };
    if kind < 8 {
        out.push(kind << 5 | short);
    } else {
        out.extend([short, kind - 7]);
    }
    out.extend(extra);
}

#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Data(usize),
}

/// Writes a file of the given type that holds the records; IPv4 lies at `::/96`. Nested prefixes come longest last.
pub(crate) fn mmdb(database_type: &'static str, build_epoch: u64, records: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for (prefix, value) in records {
        let offset = data.len();
        value.write(&mut data);
        insert(&mut nodes, prefix.parse().unwrap(), offset);
    }
    let mut file = Vec::new();
    for branch in nodes.iter().flatten() {
        let record = match branch {
            Branch::Nothing => nodes.len(),
            Branch::Node(index) => *index,
            Branch::Data(offset) => nodes.len() + 16 + offset,
        };
        file.extend_from_slice(&u32::try_from(record).unwrap().to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.extend(data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(vec![
        ("binary_format_major_version", Value::U16(2)),
        ("binary_format_minor_version", Value::U16(0)),
        ("build_epoch", Value::U64(build_epoch)),
        ("database_type", Value::Text(database_type)),
        ("description", Value::Map(vec![("en", Value::Text("test"))])),
        ("ip_version", Value::U16(6)),
        ("languages", Value::Array(vec![Value::Text("en")])),
        ("node_count", Value::U32(u32::try_from(nodes.len()).unwrap())),
        ("record_size", Value::U16(24)),
    ]);
    metadata.write(&mut file);
    file
}

fn insert(nodes: &mut Vec<[Branch; 2]>, prefix: Prefix, offset: usize) {
    let address = match prefix.network().to_ipv4() {
        Some(v4) => u128::from(u32::from(v4)),
        None => prefix.network().as_u128(),
    };
    let length = if prefix.network().is_ipv4() { 96 + prefix.length() } else { prefix.length() };
    let mut node = 0;
    for bit in 0..length {
        let side = usize::from(address >> (127 - bit) & 1 == 1);
        if bit + 1 == length {
            nodes[node][side] = Branch::Data(offset);
            return;
        }
        node = match nodes[node][side] {
            Branch::Node(next) => next,
            above => {
                nodes.push([above; 2]);
                let next = nodes.len() - 1;
                nodes[node][side] = Branch::Node(next);
                next
            }
        };
    }
}
