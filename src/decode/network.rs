//! IPv4 and IPv6 headers and their extension headers, to one form. Knows neither links nor transports.

use etherparse::err::{LenError, ip_auth, ipv4};
use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4Header, Ipv4HeaderSlice, Ipv6Header, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
    ip_number,
};

use super::span::Span;
use super::{DropReason, MAX_EXTENSIONS};
use crate::address::Address;
use crate::packet::Marks;

/// Which IP header stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Six,
}

/// Which part of a datagram an IP packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    Whole,
    First,
    Later,
}

impl Fragment {
    fn from_field(offset: u16, more: bool) -> Self {
        match (offset, more) {
            // An IPv6 fragment header alone makes no fragment (RFC 6946).
            (0, false) => Self::Whole,
            (0, true) => Self::First,
            _ => Self::Later,
        }
    }

    /// Returns the marks of a packet that is this part.
    pub(super) const fn marks(self) -> u8 {
        match self {
            Self::Whole => 0,
            Self::First => Marks::FRAGMENT,
            Self::Later => Marks::FRAGMENT | Marks::LATER_FRAGMENT,
        }
    }
}

/// An IP packet, its headers read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network<'a> {
    pub(super) source: Address,
    pub(super) destination: Address,
    /// Time to live or hop limit.
    pub(super) ttl: u8,
    pub(super) fragment: Fragment,
    /// What `payload` is; an extension header's number when that was cut.
    pub(super) protocol: IpNumber,
    pub(super) payload: Span<'a>,
    /// The snap length fell into the extension headers.
    pub(super) is_chain_cut: bool,
}

/// Reads one IP packet's headers.
#[inline(always)]
pub(super) fn open(version: Version, span: Span<'_>) -> Result<Network<'_>, DropReason> {
    let mut ip = match version {
        Version::Four => ipv4(span)?,
        Version::Six => ipv6(span)?,
    };
    walk_extensions(&mut ip, version)?;
    Ok(ip)
}

#[inline(always)]
fn ipv4(span: Span<'_>) -> Result<Network<'_>, DropReason> {
    let mut base = [0; Ipv4Header::MIN_LEN];
    let (header, header_len) = ipv4_header(span, &mut base)?;
    let total_len = match usize::from(header.total_len()) {
        // Left to the interface by segmentation offload, or more than 65,535 (BIG TCP): the layer before knows.
        0 => span.len,
        len => len,
    };
    if total_len < header_len {
        return Err(DropReason::BadIpHeader);
    }
    Ok(Network {
        source: Address::v4(header.source()),
        destination: Address::v4(header.destination()),
        ttl: header.ttl(),
        fragment: Fragment::from_field(header.fragments_offset().value(), header.more_fragments()),
        protocol: header.protocol(),
        payload: Span::new(span.bytes, total_len).skip(header_len),
        is_chain_cut: false,
    })
}

/// Reads an IPv4 header and its full length. When only options were cut, the fixed part is read from a copy that claims
/// no options, since etherparse wants the whole header.
#[inline(always)]
fn ipv4_header<'a>(
    span: Span<'a>,
    base: &'a mut [u8; Ipv4Header::MIN_LEN],
) -> Result<(Ipv4HeaderSlice<'a>, usize), DropReason> {
    match Ipv4HeaderSlice::from_slice(span.bytes) {
        Ok(header) => return Ok((header, header.slice().len())),
        Err(ipv4::HeaderSliceError::Content(_)) => return Err(DropReason::BadIpHeader),
        Err(ipv4::HeaderSliceError::Len(_)) => {}
    }
    *base = *span.bytes.first_chunk().ok_or(DropReason::TruncatedIp)?;
    let header_len = usize::from(base[0] & 0x0f) * 4;
    if header_len > span.len {
        return Err(DropReason::BadIpHeader);
    }
    base[0] = 0x45;
    let header = Ipv4HeaderSlice::from_slice(base).map_err(|_| DropReason::BadIpHeader)?;
    Ok((header, header_len))
}

fn ipv6(span: Span<'_>) -> Result<Network<'_>, DropReason> {
    // The version is told before the length, as it is for IPv4.
    if span.first().is_some_and(|first| first >> 4 != 6) {
        return Err(DropReason::BadIpHeader);
    }
    let header = Ipv6HeaderSlice::from_slice(span.bytes).map_err(|_| DropReason::TruncatedIp)?;
    let (source, destination) = (Address::v6(header.source()), Address::v6(header.destination()));
    // IPv4-mapped addresses never stand in an IPv6 header (RFC 4038 section 4.2); here they would pass for IPv4 hosts.
    if source.is_ipv4() || destination.is_ipv4() {
        return Err(DropReason::BadIpHeader);
    }
    let payload_len = match usize::from(header.payload_length()) {
        // A jumbogram (RFC 2675), BIG TCP or segmentation offload: the layer before knows.
        0 => span.len.saturating_sub(Ipv6Header::LEN),
        len => len,
    };
    let rest = span.skip(Ipv6Header::LEN);
    Ok(Network {
        source,
        destination,
        ttl: header.hop_limit(),
        fragment: Fragment::Whole,
        protocol: header.next_header(),
        payload: Span::new(rest.bytes, payload_len),
        is_chain_cut: false,
    })
}

/// Walks extension headers (RFC 8200 section 4) and, in both versions, the authentication header (RFC 4302).
#[inline(always)]
fn walk_extensions(ip: &mut Network<'_>, version: Version) -> Result<(), DropReason> {
    let mut walked = 0;
    while ip.fragment != Fragment::Later {
        let header = match (ip.protocol, version) {
            (ip_number::AUTH, _) => authentication(ip.payload),
            (ip_number::IPV6_HEADER_HOP_BY_HOP, Version::Six) if walked == 0 => options(ip.payload),
            // It must come first, and every router has to look at it.
            (ip_number::IPV6_HEADER_HOP_BY_HOP, Version::Six) => Err(Unreadable::Bad),
            (ip_number::IPV6_DESTINATION_OPTIONS | ip_number::IPV6_ROUTE_HEADER, Version::Six) => options(ip.payload),
            (ip_number::IPV6_FRAGMENTATION_HEADER, Version::Six) => fragmentation(ip),
            _ => return Ok(()),
        };
        let (next, len) = match header {
            Ok(header) => header,
            Err(Unreadable::Cut) => {
                ip.is_chain_cut = true;
                return Ok(());
            }
            Err(Unreadable::Bad) => return Err(DropReason::BadExtension),
        };
        walked += 1;
        if walked > MAX_EXTENSIONS {
            return Err(DropReason::BadExtension);
        }
        (ip.protocol, ip.payload) = (next, ip.payload.skip(len));
    }
    Ok(())
}

/// Why an extension header cannot be walked.
enum Unreadable {
    /// It goes on behind the snap length.
    Cut,
    /// It is longer than the packet, or wrong in itself.
    Bad,
}

impl Unreadable {
    fn from_len(error: &LenError, span: Span<'_>) -> Self {
        if error.required_len > span.len { Self::Bad } else { Self::Cut }
    }
}

type Extension = Result<(IpNumber, usize), Unreadable>;

fn options(span: Span<'_>) -> Extension {
    let header = Ipv6RawExtHeaderSlice::from_slice(span.bytes).map_err(|error| Unreadable::from_len(&error, span))?;
    Ok((header.next_header(), header.slice().len()))
}

fn authentication(span: Span<'_>) -> Extension {
    match IpAuthHeaderSlice::from_slice(span.bytes) {
        Ok(header) => Ok((header.next_header(), header.slice().len())),
        Err(ip_auth::HeaderSliceError::Len(error)) => Err(Unreadable::from_len(&error, span)),
        Err(ip_auth::HeaderSliceError::Content(_)) => Err(Unreadable::Bad),
    }
}

fn fragmentation(ip: &mut Network<'_>) -> Extension {
    let header = etherparse::Ipv6FragmentHeaderSlice::from_slice(ip.payload.bytes)
        .map_err(|error| Unreadable::from_len(&error, ip.payload))?;
    ip.fragment = Fragment::from_field(header.fragment_offset().value(), header.more_fragments());
    Ok((header.next_header(), header.slice().len()))
}
