/**
 * The trace of the runs for one request: what each node did, as text that the record of the request keeps (`record/search.ts`
 * reads it). It has names, times and kinds of failures, and no values but those that a node logs.
 *
 * Bounds: {@link CHARS_MAX} of text and {@link CHARS_WITH_TOKENS_MAX} with counts of tokens, {@link INNER_ENTRIES_MAX} entries of runs within the run, {@link LOGS_MAX} logged messages.
 * The second bound does not hold for failures within inner runs. Entries beyond the bounds are counted.
 */
import { jsonWithin } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { maskText, maskValue } from '../../base/text/mask.ts'
import type { LogLevel, UsedTokens } from '../../nodes/run.ts'
import { CUT_MARK, cutText } from '../../record/fields.ts'

/** UTF-16 units from which on nothing is added. */
const CHARS_MAX = 32 * 1024
/** With entries of tokens, which come last: they are not left off for a long trace. */
const CHARS_WITH_TOKENS_MAX = 40 * 1024
const INNER_ENTRIES_MAX = 50
const LOGS_MAX = 20
/** UTF-16 units of a logged message, and of its fields as JSON. */
const MESSAGE_CHARS_MAX = 500
/** What is looked at of a longer one: a secret across the end of it is not in the part that is kept. */
const READ_CHARS_MAX = 4 * MESSAGE_CHARS_MAX
const FIELDS_CHARS_MAX = 2048
/** In `each[3]/ask[0]`. */
const RUN_NUMBER = /\[\d+\]/g
/** UTF-16 units of the kind of a failure. */
const KIND_CHARS_MAX = 64

/** The error of nodes that had not ended when the run did. */
const UNFINISHED = 'unfinished'

/** The beginning of the entries of a node. @param id, type free of what JSON escapes */
export function entryHead(id: string, type: string): string {
  return `["${id}","${type}",`
}

/** Tokens that one node has used of one model, in all its executions. */
export interface TokenCount {
  readonly node: string
  /** The nodes that run the workflow, such as `each`, without the numbers of their runs; empty for the outer run. */
  readonly within: string
  readonly model: string
  calls: number
  prompt: number
  completion: number
}

/** The trace of the run that answers a request, with all runs within it. */
export class RunTrace {
  readonly #monotonic: () => number
  readonly #startedAt: number
  #text = ''
  #leftOff = 0
  #inner = 0
  #logs = 0
  #isClosed = false
  readonly #tokens = new Map<string, TokenCount>()
  /** Head and start of the node whose call goes on as the request. */
  #tail: { readonly head: string; readonly start: number } | null = null

  /** @param monotonic milliseconds */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
    this.#startedAt = monotonic()
  }

  /** Microseconds since the start of the run. */
  now(): number {
    return Math.round((this.#monotonic() - this.#startedAt) * 1000)
  }

  /** @param start microseconds @param handle empty for the end of a run @param error kind; empty for none @param within of an inner run */
  add(head: string, start: number, handle: string, attempts: number, error: string, within: string): void {
    if (within !== '' && error === '' && ++this.#inner > INNER_ENTRIES_MAX) {
      this.#leftOff++
      return
    }
    let rest = ''
    if (within !== '') rest = `,${JSON.stringify(cutText(error, KIND_CHARS_MAX))},"${within}"`
    else if (error !== '') rest = `,${JSON.stringify(cutText(error, KIND_CHARS_MAX))}`
    this.#put(`${head}${start},${this.now() - start},"${handle}",${attempts}${rest}]`)
  }

  /** The request goes on in the place of the node. */
  forwarded(head: string, start: number): void {
    this.#tail = { head, start }
  }

  /** A message of a node, without secrets. */
  log(node: string, within: string, level: LogLevel, message: string, fields: Plain): void {
    if (++this.#logs > LOGS_MAX) {
      this.#leftOff++
      return
    }
    const text = shownText(message)
    const kept = jsonWithin(fields, FIELDS_CHARS_MAX) === null ? null : maskValue(fields)
    this.#put(JSON.stringify([node, this.now(), level, text, kept, within || null]))
  }

  /** Adds what an answer of a model has used. Executions of a node are counted together, so entries are bounded by definitions. */
  countTokens(node: string, within: string, { model, prompt_tokens, completion_tokens }: UsedTokens): void {
    const places = within.replaceAll(RUN_NUMBER, '')
    const key = `${places}\n${node}`
    const count = this.#tokens.get(key) ?? { node, within: places, model, calls: 0, prompt: 0, completion: 0 }
    count.calls++
    count.prompt += prompt_tokens ?? 0
    count.completion += completion_tokens ?? 0
    this.#tokens.set(key, count)
  }

  /** Tokens of models that the run has used so far. */
  tokens(): Iterable<TokenCount> {
    return this.#tokens.values()
  }

  /** The whole text, once the request is over. @param code of the refusal that ended it */
  close(code: RefusalCode | null): string {
    const tail = this.#tail
    this.#tail = null
    if (tail !== null) this.add(tail.head, tail.start, code === null ? 'success' : '', 1, code ?? '', '')
    this.#putTokens()
    if (this.#leftOff > 0) this.#text += `${this.#text === '' ? '' : ','}${this.#leftOff}`
    this.#leftOff = 0
    return this.#text
  }

  #putTokens(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const { node, within, model, calls, prompt, completion } of this.#tokens.values()) {
      const entry = [node, null, model, calls, prompt, completion, within || null]
      this.#put(JSON.stringify(entry), CHARS_WITH_TOKENS_MAX)
    }
  }

  #put(entry: string, charsMax = CHARS_MAX): void {
    if (this.#text.length + entry.length > charsMax) this.#leftOff++
    else this.#text += this.#text === '' ? entry : `,${entry}`
  }
}

/** What the nodes of one run add to a trace. */
export class RunSteps {
  readonly #trace: RunTrace
  readonly #heads: readonly { readonly head: string }[]
  readonly #within: string
  /** Microseconds, by place; -1 for a node that is not under way. */
  readonly #starts: number[]
  readonly #attempts: number[]

  /** @param within empty for the run that answers the request */
  constructor(trace: RunTrace, heads: readonly { readonly head: string }[], within: string) {
    this.#trace = trace
    this.#heads = heads
    this.#within = within
    this.#starts = heads.map(() => -1)
    this.#attempts = heads.map(() => 1)
  }

  /** The node runs, once more with each attempt, or waits for branches. */
  started(place: number, attempt: number): void {
    this.#attempts[place] = attempt
    if (this.#starts[place] === -1) this.#starts[place] = this.#trace.now()
  }

  /** @param handle empty for the end of the run @param error kind of the failure; empty for none */
  ended(place: number, handle: string, error: string): void {
    const start = this.#starts[place]!
    if (start === -1) return
    this.#starts[place] = -1
    this.#trace.add(this.#heads[place]!.head, start, handle, this.#attempts[place]!, error, this.#within)
  }

  /** The run ends in the place of the node, and the request goes on. */
  forwarded(place: number): void {
    this.#trace.forwarded(this.#heads[place]!.head, this.#starts[place]!)
    this.#starts[place] = -1
  }

  /** The run is over: what is under way is given up. */
  closed(): void {
    for (const [place, start] of this.#starts.entries()) if (start !== -1) this.ended(place, '', UNFINISHED)
  }
}

/** The message without secrets, or its beginning. */
function shownText(message: string): string {
  if (message.length <= READ_CHARS_MAX) return cutText(maskText(message), MESSAGE_CHARS_MAX)
  // The end of what was looked at may be the beginning of a secret, and moves up where others were masked
  const known = maskText(message.slice(0, READ_CHARS_MAX))
  return `${known.slice(0, Math.min(MESSAGE_CHARS_MAX, known.length - MESSAGE_CHARS_MAX) - 1)}${CUT_MARK}`
}
