/**
 * Counts refusals of callers without a proven credential. Beyond the first few of a minute, such refusals share one
 * record with a count.
 */
import type { RecordFields } from './fields.ts'

const MINUTE_MS = 60_000

/** Refusals of one source and code in a minute that have a record each. */
const SINGLE_MAX = 10

/** Sources and codes that one thread tells apart in a minute. Further ones share one record for each code. */
const SOURCES_MAX = 1000

/** The last check whose refusals are counted together: later ones see requests that were admitted. */
const LAST_CHECK = 13

interface Counted {
  /** Of the first request that was not recorded alone, with the sums of all. */
  readonly fields: RecordFields
  single: number
}

/**
 * Counts the refusals of callers who have proved nothing: beyond the first {@link SINGLE_MAX} of a source and code in one
 * minute they are one record. So a flood costs a bounded number of records, however many addresses it comes from.
 */
export class RefusalCounts {
  readonly #sourceOf: (ip: string) => string
  #counts = new Map<string, Counted>()
  #minute = Number.NEGATIVE_INFINITY

  /** @param sourceOf whom an address stands for: a network of IPv6 is one source. */
  constructor(sourceOf: (ip: string) => string) {
    this.#sourceOf = sourceOf
  }

  /** True when the request was counted, and is not to be recorded alone. */
  takes(fields: RecordFields): boolean {
    if (fields.code === '' || fields.stoppedAt < 1 || fields.stoppedAt > LAST_CHECK || fields.upstreamMs >= 0)
      return false
    this.#minute = Math.floor(fields.timeMs / MINUTE_MS)
    const key = `${this.#sourceOf(fields.ip)} ${fields.code} ${fields.surface} ${fields.client} ${fields.profile}`
    const known = this.#counts.get(key)
    if (known !== undefined) {
      if (known.single < SINGLE_MAX) {
        known.single++
        return false
      }
      add(known.fields, fields)
      return true
    }
    if (this.#counts.size < SOURCES_MAX) {
      this.#counts.set(key, { fields: { ...fields, count: 0 }, single: 1 })
      return false
    }
    this.#takeRest(fields)
    return true
  }

  /** True when refusals of an earlier minute than this one are counted. */
  isOver(now: number): boolean {
    return this.#counts.size > 0 && Math.floor(now / MINUTE_MS) !== this.#minute
  }

  /** Milliseconds until the minute that is counted is over. */
  leftMs(now: number): number {
    return Math.max(0, (this.#minute + 1) * MINUTE_MS - now)
  }

  /** One record for each source and code; all of them are forgotten. */
  drain(): RecordFields[] {
    const records = [...this.#counts.values()].filter(({ fields }) => fields.count > 0)
    this.#counts = new Map()
    return records.map(({ fields }) => ({ ...fields, durationMs: fields.durationMs / fields.count }))
  }

  #takeRest(fields: RecordFields): void {
    const key = `rest ${fields.code} ${fields.surface}`
    const rest = this.#counts.get(key)
    if (rest !== undefined) add(rest.fields, fields)
    else {
      const nobody = {
        ...fields,
        count: 0,
        ip: '',
        path: '',
        client: '',
        profile: '',
        reason: 'many sources',
      }
      add(nobody, fields)
      this.#counts.set(key, { fields: nobody, single: SINGLE_MAX })
    }
  }
}

/** The first that is counted gives its id, time, method and path; of all the sums are kept. */
function add(sum: RecordFields, { count, ...one }: RecordFields): void {
  const { ip, path, client, profile, reason } = sum
  if (sum.count === 0) Object.assign(sum, one, path === '' ? { ip, path, client, profile, reason } : {})
  else {
    sum.durationMs += one.durationMs
    sum.bytesIn += one.bytesIn
    sum.bytesOut += one.bytesOut
  }
  sum.count += count
}
