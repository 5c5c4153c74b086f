/** Checks Valkey. A start does without it, so that nothing here fails. */
import type { Settings } from '../../settings.ts'
import type { LookAtValkey, ValkeyFacts, ValkeyLook } from '../../store/ports/valkey.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'

const CHECK = 'valkey'
const SEE = 'See docs/several-nodes.md.'
/** A difference of clocks that is told of, milliseconds. */
const SKEW_MS_MAX = 2000

/** Whether each server can be used, and what it says of itself. Nothing where the settings name none. */
export async function findValkey(look: LookAtValkey, { valkey }: Settings): Promise<Finding[]> {
  if (valkey === null) return []
  const looks = await look(valkey)
  const facts = looks.flatMap((one) => (typeof one.facts === 'string' ? [] : [one.facts]))
  const findings = looks.flatMap(findingsOf)
  if (facts.length > 0 && !facts.some(({ isCluster, role }) => isCluster || role === 'primary'))
    findings.push({
      check: CHECK,
      state: 'warn',
      found: 'no server is a primary, so each node enforces its part of each limit',
      fix: 'Complete the failover, or name the primary in POSTERN_VALKEY_URL.',
    })
  return findings
}

function findingsOf({ server, facts }: ValkeyLook): Finding[] {
  if (typeof facts === 'string') {
    const fix = `Check the address, the user, the password and the network. ${SEE}`
    return [{ check: CHECK, state: 'warn', found: `cannot be used: ${facts}`, fix }]
  }
  const found = `${server} is ${describe(facts)}`
  const faults = faultsOf(facts)
  if (faults.length === 0) return [{ check: CHECK, state: 'ok', found, fix: null }]
  return faults.map((fix) => ({ check: CHECK, state: 'warn', found, fix }))
}

function describe({ product, version, role, isCluster, policy, clockMs }: ValkeyFacts): string {
  const where = isCluster ? ' of a cluster' : ''
  return `${product} ${version}, a ${role}${where}, maxmemory-policy ${policy || 'unknown'}, its clock differs by ${clockMs} ms`
}

function faultsOf({ policy, clockMs }: ValkeyFacts): string[] {
  return [
    ...(policy === 'noeviction' || policy === ''
      ? []
      : ['Set maxmemory-policy to noeviction, or counters are dropped when the memory is full.']),
    ...(Math.abs(clockMs) > SKEW_MS_MAX ? ['Synchronize both clocks by NTP.'] : []),
  ]
}
