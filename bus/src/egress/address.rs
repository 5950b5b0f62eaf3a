//! Networks, and which of them are no part of the public internet: the registries of special-purpose addresses,
//! <https://www.iana.org/assignments/iana-ipv4-special-registry> and <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    const fn v4(octets: [u8; 4], bits: u8) -> Self {
        let [a, b, c, d] = octets;
        Self { base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    /// The range with these first three groups.
    const fn v6(groups: [u16; 3], bits: u8) -> Self {
        let [a, b, c] = groups;
        Self { base: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), bits }
    }

    /// The range of one address.
    pub(super) const fn single(address: IpAddr) -> Self {
        let bits = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        Self { base: address, bits }
    }

    /// Whether the address is in it. An IPv4 address in an IPv6 one's clothes is in no range of IPv4.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let differ = base.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differ = base.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let Some((base, bits)) = text.split_once('/') else {
            return text.parse().map(Self::single).map_err(|_| ());
        };
        let base: IpAddr = base.parse().map_err(|_| ())?;
        let bits = bits.parse().map_err(|_| ())?;
        if bits > Self::single(base).bits {
            return Err(());
        }
        Ok(Self { base, bits })
    }
}

/// Ranges of IPv4 that are not the public internet, the narrower before the wider.
const SPECIAL_V4: &[(Network, &str)] = &[
    (Network::v4([0, 0, 0, 0], 8), "of this network (0.0.0.0/8)"),
    (Network::v4([10, 0, 0, 0], 8), "private (10.0.0.0/8)"),
    (Network::v4([100, 64, 0, 0], 10), "shared by a provider's customers (100.64.0.0/10)"),
    (Network::v4([127, 0, 0, 0], 8), "of this machine (127.0.0.0/8)"),
    // Global by its number, yet answered by the host of every virtual machine of one cloud.
    (Network::v4([168, 63, 129, 16], 32), "of a cloud's metadata"),
    (Network::v4([169, 254, 0, 0], 16), "link-local (169.254.0.0/16), where clouds keep their metadata"),
    (Network::v4([172, 16, 0, 0], 12), "private (172.16.0.0/12)"),
    (Network::v4([192, 0, 0, 0], 24), "reserved for protocols (192.0.0.0/24)"),
    (Network::v4([192, 0, 2, 0], 24), "for documentation (192.0.2.0/24)"),
    (Network::v4([192, 88, 99, 0], 24), "of a 6to4 relay (192.88.99.0/24)"),
    (Network::v4([192, 168, 0, 0], 16), "private (192.168.0.0/16)"),
    (Network::v4([198, 18, 0, 0], 15), "for benchmarks (198.18.0.0/15)"),
    (Network::v4([198, 51, 100, 0], 24), "for documentation (198.51.100.0/24)"),
    (Network::v4([203, 0, 113, 0], 24), "for documentation (203.0.113.0/24)"),
    (Network::v4([224, 0, 0, 0], 4), "multicast (224.0.0.0/4)"),
    (Network::v4([240, 0, 0, 0], 4), "reserved (240.0.0.0/4)"),
];

/// What global unicast addresses of IPv6 begin with. Whatever is outside is refused, known or not.
const GLOBAL_V6: Network = Network::v6([0x2000, 0, 0], 3);

/// Ranges within it that are not the public internet, or lead to addresses of IPv4 that nobody has checked.
const SPECIAL_V6: &[(Network, &str)] = &[
    (Network::v6([0x2001, 0, 0], 32), "a Teredo tunnel's (2001::/32)"),
    (Network::v6([0x2001, 0, 0], 23), "reserved for protocols (2001::/23)"),
    (Network::v6([0x2001, 0xdb8, 0], 32), "for documentation (2001:db8::/32)"),
    (Network::v6([0x2002, 0, 0], 16), "a 6to4 tunnel's (2002::/16)"),
    (Network::v6([0x3fff, 0, 0], 20), "for documentation (3fff::/20)"),
];

/// Ranges outside, by their names.
const OUTSIDE_V6: &[(Network, &str)] = &[
    (Network::single(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), "no address (::)"),
    (Network::single(IpAddr::V6(Ipv6Addr::LOCALHOST)), "of this machine (::1)"),
    (Network::v6([0x64, 0xff9b, 0], 96), "one of IPv4, translated (64:ff9b::/96)"),
    (Network::v6([0x64, 0xff9b, 1], 48), "one of IPv4, translated (64:ff9b:1::/48)"),
    (Network::v6([0x100, 0, 0], 64), "of a black hole (100::/64)"),
    (Network::v6([0xfc00, 0, 0], 7), "private (fc00::/7)"),
    (Network::v6([0xfe80, 0, 0], 10), "link-local (fe80::/10)"),
    (Network::v6([0xfec0, 0, 0], 10), "private (fec0::/10)"),
    (Network::v6([0xff00, 0, 0], 8), "multicast (ff00::/8)"),
];

/// Why an address is not one of the public internet, as what it is; none if it is one.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    let within = |ranges: &[(Network, &'static str)]| {
        ranges.iter().find(|(range, _)| range.contains(address)).map(|(_, what)| *what)
    };
    match address {
        IpAddr::V4(_) => within(SPECIAL_V4),
        IpAddr::V6(_) if GLOBAL_V6.contains(address) => within(SPECIAL_V6),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some("one of IPv4, mapped (::ffff:0:0/96)"),
        IpAddr::V6(_) => Some(within(OUTSIDE_V6).unwrap_or("outside what is given out (2000::/3)")),
    }
}
