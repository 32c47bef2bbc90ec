interface Inputs {
  region?: string
  excludeZoneIds?: string[]
}

/** What AWS answers to the questions that the program asks it. A question that is not here fails the evaluation. */
export function answer(token: string, inputs: Inputs, stack: { region: string; account: string }) {
  const region = inputs.region ?? stack.region
  switch (token) {
    case "aws:index/getCallerIdentity:getCallerIdentity":
      return { accountId: stack.account, id: stack.account }
    case "aws:index/getAvailabilityZones:getAvailabilityZones":
      return zonesOf(region, inputs.excludeZoneIds ?? [])
    default:
      throw new Error(`The program asks AWS for ${token}, to which infra/evaluate/data-sources.ts has no answer`)
  }
}

function zonesOf(region: string, excluded: string[]) {
  const zones = letters.map((letter) => region + letter).filter((zone) => !excluded.includes(zoneIdOf(zone)))
  return { id: region, names: zones, zoneIds: zones.map(zoneIdOf) }
}

const letters = ["a", "b", "c"]

/** Which zone a name stands for: `use1-az3` for `us-east-1a`. Each account has an order of its own; in this one the last comes first. */
export function zoneIdOf(zone: string): string {
  const [, area, direction, number, letter] = /^(\w+)-(\w+)-(\d)(\w)$/.exec(zone) ?? []
  if (!area || !direction || !letter) throw new Error(`${zone} is no zone`)
  const short = direction.replace(/north|south|east|west|central/g, (word) => word.slice(0, 1))
  return `${area}${short}${number}-az${letters.length - letters.indexOf(letter)}`
}
