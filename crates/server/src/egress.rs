//! From which addresses bots on this machine reach exchanges, as far as the machine itself can know.
//!
//! The kernel names the address that it would send from; nothing is sent and nobody is asked. Behind a router that
//! translates addresses it is a private one: then nothing is told, because a wrong address on a key's list would lock the
//! bot out. An operator states such addresses with `--egress-address`. Knows no key and no page.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Where the question is asked from, and an address on the far side of the internet (RFC 5737 and RFC 3849: nobody's).
const ROUTES: [(IpAddr, IpAddr); 2] = [
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1))),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
];

/// The machine's own public addresses on its ways out; empty when it has none.
pub(crate) fn of_this_machine() -> Vec<String> {
    let own = ROUTES.iter().filter_map(|(from, to)| source(*from, *to));
    own.filter(|address| is_public(*address)).map(|address| address.to_string()).collect()
}

/// The address a datagram would be sent from. Connecting such a socket sends nothing.
fn source(from: IpAddr, to: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(from, 0)).ok()?;
    socket.connect(SocketAddr::new(to, 443)).ok()?;
    socket.local_addr().ok().map(|own| own.ip())
}

/// Whether the far side sees this very address. Ranges: IANA's registries of special-purpose addresses.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let special = a == 0 || a >= 224 || (a == 198 && (b == 18 || b == 19)) || (a == 192 && b == 0);
            !(shared
                || special
                || v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation())
        }
        // Global unicast without the range for documentation.
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            first & 0xe000 == 0x2000 && !(first == 0x2001 && second == 0xdb8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_the_far_side_sees_are_told() {
        let public = ["8.8.8.8", "100.63.0.1", "100.128.0.1", "172.32.0.1", "198.20.0.1", "2a00:1450::1"];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let hidden = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "2001:db8::1",
        ];
        for address in hidden {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        // Whatever this machine has, it is told only when it is public.
        let all = of_this_machine();
        assert!(all.iter().all(|address| is_public(address.parse().unwrap())), "{all:?}");
        assert!(all.len() <= ROUTES.len());
    }
}
