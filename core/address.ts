import { BlockList, isIP } from "node:net"

/** Which addresses belong to the public internet. Everything else is somebody's inside: this machine, its network, its cloud. */

const notPublic4 = [
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // carriers' own, with the metadata of some clouds
  "127.0.0.0/8", // loopback
  "168.63.129.16/32", // Azure's host, which looks public
  "169.254.0.0/16", // link-local, with the metadata of most clouds
  "172.16.0.0/12", // private
  "192.0.0.0/24", // protocol assignments
  "192.0.2.0/24", // documentation
  "192.31.196.0/24", // AS112
  "192.52.193.0/24", // AMT
  "192.88.99.0/24", // 6to4 relays
  "192.168.0.0/16", // private
  "192.175.48.0/24", // AS112
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and broadcast
]

/** What is handed out to the public of IPv6 is inside this; mapped, compatible, SIIT and NAT64 addresses, local and multicast are not. */
const public6 = "2000::/3"

const notPublic6 = [
  "2001::/23", // protocol assignments, with Teredo, benchmarks and ORCHID
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4, which holds an IPv4 address
  "2620:4f:8000::/48", // AS112
  "3fff::/20", // documentation
]

const listOf = (family: "ipv4" | "ipv6", subnets: readonly string[]) => {
  const list = new BlockList()
  for (const subnet of subnets) {
    const [net, bits] = subnet.split("/")
    list.addSubnet(net!, Number(bits), family)
  }
  return list
}

const blocked4 = listOf("ipv4", notPublic4)
const blocked6 = listOf("ipv6", notPublic6)
const allowed6 = listOf("ipv6", [public6])

/** Whether an address, written as the system resolver writes it, is one of the public internet. */
export const isPublic = (address: string): boolean => {
  const family = isIP(address)
  if (family === 4) return !blocked4.check(address, "ipv4")
  return family === 6 && allowed6.check(address, "ipv6") && !blocked6.check(address, "ipv6") && !holdsIsatap(address)
}

/** ISATAP addresses hold an IPv4 address behind `0:5efe`, whoever's network they begin with. */
const holdsIsatap = (address: string) => /:(?:(?:0|200):5efe|:5efe):[^:]+(?::[^:]+)?$/i.test(address)
