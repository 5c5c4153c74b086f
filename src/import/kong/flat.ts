/**
 * Forms in which one configuration is written: parts inside of their owner, or at the top of the document with the name of it, and
 * defaults in one place. The conversion reads the form that this makes of all of them.
 */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { ENTITIES } from './counterparts.ts'
import { listIn, OF_CONSUMERS, oddLists, refOf } from './members.ts'
import type { Report } from './report.ts'

/** Members by which a part says whom it holds for. */
const OWNERS = ['service', 'route', 'consumer', 'consumer_group'] as const

/** The document in one form. It is changed nowhere: what differs is copied. */
export function inOneForm(document: Plain, report: Report): Plain {
  return withRestrictions(withGroups(withOwnParts(withDefaults(document, report), report)))
}

/** Entities whose defaults decK keeps in `_info.defaults`, by the name there. */
const DEFAULTED: Readonly<Record<string, string>> = {
  service: 'services',
  route: 'routes',
  upstream: 'upstreams',
  target: 'targets',
}

/** What `_info.defaults` says goes into each part that does not say it itself. */
function withDefaults(document: Plain, report: Report): Plain {
  const info = document['_info']
  const defaults = isPlain(info) && isPlain(info['defaults']) ? info['defaults'] : null
  if (defaults === null) return document
  for (const name of Object.keys(defaults))
    if (!Object.hasOwn(DEFAULTED, name))
      report.leftOut('defaults of', name.slice(0, 100), 'they are not read')
  const filled = (owner: Plain): Plain => {
    const copy = { ...owner }
    for (const [name, member] of Object.entries(DEFAULTED)) {
      const given = defaults[name]
      if (Array.isArray(copy[member]) && isPlain(given))
        copy[member] = copy[member].map((one) => (isPlain(one) ? filled({ ...given, ...one }) : one))
      else if (Array.isArray(copy[member]))
        copy[member] = copy[member].map((one) => (isPlain(one) ? filled(one) : one))
    }
    return copy
  }
  return filled(document)
}

/** The document with the credentials and groups at its top in their consumers. */
function withOwnParts(document: Plain, report: Report): Plain {
  const members = OF_CONSUMERS.filter((member) => listIn(document, member).length > 0)
  if (members.length === 0) return document
  const ownerOf = new Map<string, number>()
  const consumers = listIn(document, 'consumers').map((one) => ({ ...one }))
  // Who is called so goes before who has it as an id elsewhere: a key must not become that of another consumer
  for (const names of ['username', 'id', 'custom_id'])
    for (const [index, consumer] of consumers.entries()) {
      const key = consumer[names]
      if (typeof key === 'string' && !ownerOf.has(key)) ownerOf.set(key, index)
    }
  for (const member of members)
    for (const [ref, parts] of Map.groupBy(listIn(document, member), ({ consumer }) => refOf(consumer))) {
      const owner = consumers[ownerOf.get(ref ?? '') ?? -1]
      if (owner === undefined)
        report.leftOut(`${member} of ${ref?.slice(0, 100) ?? 'no consumer'}`, '', 'there is no such consumer')
      else if (oddLists(owner, [member]).length === 0) owner[member] = [...listIn(owner, member), ...parts]
    }
  return { ...document, consumers }
}

/** Members and plugins of consumer groups in the place where they stand elsewhere too. */
function withGroups(document: Plain): Plain {
  const members = listIn(document, 'consumer_group_consumers')
  const plugins = listIn(document, 'consumer_group_plugins')
  if (members.length === 0 && plugins.length === 0) return document
  const added = withPlugins(document, plugins)
  if (!Array.isArray(document['consumer_groups'])) return added
  const byGroup = Map.groupBy(members, ({ consumer_group: group }) => refOf(group))
  const groups = document['consumer_groups'].map((group) => {
    if (!isPlain(group)) return group
    const refs = [group['name'], group['id']].filter((ref) => typeof ref === 'string')
    const own = refs.flatMap((ref) => byGroup.get(ref) ?? [])
    // A second group of the name is read as the same one
    for (const ref of refs) byGroup.delete(ref)
    return own.length === 0
      ? group
      : { ...group, consumers: [...listOf(group['consumers']), ...own.map(({ consumer }) => consumer)] }
  })
  return { ...added, consumer_groups: groups }
}

/** With further plugins at the top; plugins that are no list close everything, and stay as they are. */
function withPlugins(document: Plain, further: readonly Plain[]): Plain {
  const { plugins } = document
  if (further.length === 0 || (plugins != null && !Array.isArray(plugins))) return document
  return { ...document, plugins: [...listOf(plugins), ...further] }
}

/**
 * Parts that are not read, and say for whom they hold, may restrict who calls, as filter chains do. Each closes its owner as a plugin
 * without a counterpart does.
 */
function withRestrictions(document: Plain): Plain {
  const made: Plain[] = []
  for (const [member, value] of Object.entries(document)) {
    if (Object.hasOwn(ENTITIES, member) && ENTITIES[member]!.is === 'read') continue
    if (member.startsWith('_') || !Array.isArray(value)) continue
    for (const part of value) {
      if (!isPlain(part) || part['enabled'] === false) continue
      const owners = OWNERS.filter((owner) => part[owner] != null)
      if (owners.length > 0 && !CREDENTIAL_LISTS.has(member))
        made.push({
          name: `(${member.slice(0, 60)})`,
          ...Object.fromEntries(owners.map((owner) => [owner, part[owner]])),
        })
    }
  }
  return withPlugins(document, made)
}

/** They prove a caller, and restrict nobody. */
const CREDENTIAL_LISTS: ReadonlySet<string> = new Set(['oauth2_tokens'])

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
