/**
 * The audit trail for a reader of some collections: entries of these collections, without changes of other resources. Filters
 * look only at what is shown, and a page is cut after that. Its items and its end are therefore independent of the hidden
 * parts of entries.
 */
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { AuditFilter, ConfigReader } from '../../store/ports/config.ts'

type Page = Awaited<ReturnType<ConfigReader['auditEntries']>>

/** Entries that are read at a time at least: of many, few may hold a text. */
const STEP_MIN = 100

/** A page of the trail as it is shown to a reader of these collections; null for all of it. */
export async function entriesOf(
  collections: readonly string[] | null,
  filter: AuditFilter,
  whole: Pick<ConfigReader, 'auditEntries'>,
): Promise<Page> {
  if (collections === null) return whole.auditEntries(filter)
  const { text, diff, detail, request, response, ...asked } = filter
  // Requests and responses are not shown, so that nothing is found in them
  if (request !== undefined || response !== undefined) return { items: [], seqs: [], next: null }
  const within = { ...asked, collections }
  if (text === undefined && diff === undefined && detail === undefined) {
    const page = await whole.auditEntries(within)
    return { ...page, items: page.items.map(aboutCollection) }
  }
  return pageThat((entry) => holds(entry, { text, diff, detail }), within, whole)
}

/** The first entries that pass as they are shown, and the place to go on from if there are more. */
async function pageThat(
  passes: (shown: AuditEntry) => boolean,
  filter: AuditFilter,
  whole: Pick<ConfigReader, 'auditEntries'>,
): Promise<Page> {
  const items: AuditEntry[] = []
  const seqs: number[] = []
  const limit = Math.max(filter.limit + 1, STEP_MIN)
  let { last } = filter
  for (let looked = 0; ; ) {
    const step = await whole.auditEntries({ ...filter, limit, ...(last !== undefined && { last }) })
    for (const [index, entry] of step.items.entries()) {
      // Each may be as large as a difference
      await yieldThread(++looked)
      const shown = aboutCollection(entry)
      if (!passes(shown)) continue
      if (items.length === filter.limit) return { items, seqs, next: seqs.at(-1) ?? null }
      items.push(shown)
      seqs.push(step.seqs[index]!)
    }
    if (step.next === null) return { items, seqs, next: null }
    last = step.next
  }
}

/** True when what is shown of an entry holds the texts that were asked for. */
function holds(entry: AuditEntry, { text, diff, detail }: Pick<AuditFilter, 'text' | 'diff' | 'detail'>) {
  const { request: _request, response: _response, ...shown } = entry
  const has = (place: string, part: string | undefined): boolean =>
    part === undefined || place.toLowerCase().includes(part.toLowerCase())
  return (
    has(JSON.stringify(shown), text) &&
    has(JSON.stringify(entry.diff), diff) &&
    has(entry.detail ?? '', detail)
  )
}

/** In differences, paths of other resources than that of the entry; proxies are of its collection. */
const BESIDE = new RegExp(
  `^/(${Object.keys(NOUNS)
    .filter((type) => type !== 'proxies')
    .join('|')})/`,
)

/**
 * An entry of a collection, or of a proxy, without what the change did to others, such as clients of the collection.
 * Sentences may name others too, except those of denials, which name permissions. Requests and responses may name others as well.
 */
export function aboutCollection(entry: AuditEntry): AuditEntry {
  return {
    ...entry,
    diff: entry.diff.filter(({ path }) => !BESIDE.test(path)),
    detail: entry.outcome === 'denied' ? entry.detail : null,
    ...(entry.request === undefined ? {} : { request: null, response: null }),
  }
}
