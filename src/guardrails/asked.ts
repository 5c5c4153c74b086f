/**
 * Rules whose detector is a webhook. Rules never wait, but a webhook answers later. The chain is therefore run with what is
 * known: a text without an answer counts as clean, and is noted. Then the webhook is asked about all noted texts at once, and
 * the chain is run again. Only the last run counts.
 *
 * 1. A chain without a webhook is run once, at once.
 * 2. A webhook sees only what the rules before it have left.
 * 3. A webhook that does not answer is a failure of its rule. So is a content on which a rule throws after a webhook was
 *    asked.
 */

import type { Span } from '../detectors/chars.ts'
import type { Detectors } from '../detectors/compile.ts'
import type { Chain, Leg, Rule } from './rule.ts'
import { Tally } from './tally.ts'

/** A text that a webhook judges, with the name of the member or parameter whose value it is; empty without. */
export interface AskedText {
  readonly name: string
  readonly text: string
}

/** Places that were found in a text. */
export type Places = readonly Pick<Span, 'start' | 'end' | 'kind' | 'confidence'>[]

/** What a webhook says about texts, in their order. */
export type WebhookAnswer =
  | { readonly kind: 'places'; readonly places: readonly Places[] }
  | { readonly kind: 'pass' }
  | { readonly kind: 'block' }
  | { readonly kind: 'modify'; readonly texts: readonly string[] }
  /** It gave no answer that can be used. The reason is a sentence without a value. */
  | { readonly kind: 'failed'; readonly reason: string }

/** Asks the webhook of a rule. Never rejects. */
export type AskWebhook = (rule: Rule, leg: Leg, texts: readonly AskedText[]) => Promise<WebhookAnswer>

/** Of one run of a work. */
export interface Run {
  /** The rules, with webhooks that answer what is known of them. */
  chain(rules: Chain): Chain
  readonly tally: Tally
}

/** True for rules of which one asks a webhook. */
export function asks(chain: Chain | null): boolean {
  return chain?.some(({ webhook }) => webhook !== null) ?? false
}

/**
 * Runs a work under rules, and counts what they found.
 * @param chains the rules of the work; null for none
 * @param work has no effect but its result and what it counts: it may be run several times
 */
export function judgedWith<T>(
  chains: readonly (Chain | null)[],
  leg: Leg,
  tally: Tally,
  ask: AskWebhook,
  work: (run: Run) => T,
): T | Promise<T> {
  return chains.some(asks) ? judgedLater(chains, leg, tally, ask, work) : work({ chain: same, tally })
}

const same = (rules: Chain): Chain => rules

async function judgedLater<T>(
  chains: readonly (Chain | null)[],
  leg: Leg,
  tally: Tally,
  ask: AskWebhook,
  work: (run: Run) => T,
): Promise<T> {
  const asking = chains.flatMap((chain) => chain ?? []).filter(({ webhook }) => webhook !== null)
  const known = new Map([...new Set(asking)].map((rule) => [rule, new Knowledge(rule)]))
  // Each round settles the texts of one rule; more are needed only for texts that another answer has brought about
  for (let rounds = 0; ; rounds++) {
    const counted = new Tally()
    const bound = new Map([...known].map(([rule, knowledge]) => [rule, knowledge.bound()]))
    let value: T
    try {
      value = work({ chain: (rules) => rules.map((rule) => bound.get(rule) ?? rule), tally: counted })
    } catch {
      return work({ chain: (rules) => rules.map(unable), tally })
    }
    const next = [...known.values()].find(({ wanted }) => wanted.size > 0)
    if (next === undefined) {
      tally.add(counted)
      return value
    }
    if (rounds < 2 * known.size) await next.ask(ask, leg)
    else next.fail('the texts change with each response of the webhook')
    for (const one of known.values()) one.wanted.clear()
  }
}

/** A rule where looking has thrown: nobody waits for a work that is run later, so that it must not throw. */
function unable(rule: Rule): Rule {
  return { ...rule, fault: 'the content cannot be checked' }
}

/** Places of a text, and what stands in its place as a whole. */
interface Found {
  readonly spans: readonly Span[]
  readonly instead: string
}

const NOTHING: readonly Span[] = []

/** What is known of the texts of one rule. */
class Knowledge {
  /** Texts that nothing is known of, by their keys. */
  readonly wanted = new Map<string, AskedText>()
  readonly #rule: Rule
  readonly #found = new Map<string, Found>()
  #fault: string | null = null
  #verdict: 'pass' | 'block' | 'modify' = 'pass'

  constructor(rule: Rule) {
    this.#rule = rule
  }

  fail(reason: string): void {
    this.#fault = reason
  }

  async ask(ask: AskWebhook, leg: Leg): Promise<void> {
    const asked = [...this.wanted]
    const texts = asked.map(([, text]) => text)
    const bytes = texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
    const answer: WebhookAnswer =
      bytes > this.#rule.bytesMax
        ? { kind: 'failed', reason: 'the content is longer than max_body' }
        : await ask(this.#rule, leg, texts)
    if (answer.kind === 'failed') {
      this.fail(answer.reason)
      return
    }
    if (answer.kind === 'block' || (answer.kind === 'modify' && this.#verdict === 'pass'))
      this.#verdict = answer.kind
    for (const [index, [key, { text }]] of asked.entries()) {
      const instead = answer.kind === 'modify' ? answer.texts[index]! : text
      const places =
        answer.kind === 'places'
          ? answer.places[index]!
          : // A verdict to block is about all texts, and counts once
            (answer.kind === 'block' && index === 0) || instead !== text
            ? [
                {
                  start: 0,
                  end: text.length,
                  kind: answer.kind === 'block' ? 'blocked' : 'modified',
                  confidence: 1,
                },
              ]
            : []
      this.#found.set(key, { spans: places.map((place) => ({ ...place, detector: 'webhook' })), instead })
    }
  }

  /** The rule as it acts with what is known. */
  bound(): Rule {
    const rule = this.#rule
    let last = ''
    const find: Detectors['find'] = (text, name = '') => {
      if (text === '') return NOTHING
      // Names and texts may have any character, so that none parts them
      const key = `${name.length} ${name}${text}`
      const found = this.#found.get(key)
      if (found === undefined) {
        this.wanted.set(key, { name, text })
        return NOTHING
      }
      last = found.instead
      return found.spans
    }
    const looking = { ...rule, fault: this.#fault, detectors: { ...rule.detectors, find } }
    if (rule.action !== 'decide') return looking
    const blocks = this.#verdict === 'block'
    const isModified = this.#verdict === 'modify'
    return {
      ...looking,
      action: blocks ? 'block' : isModified ? 'replace' : 'decide',
      blocks: blocks && !rule.isObserved,
      // A text is acted on as soon as it was found
      act: rule.act === null ? null : () => last,
    }
  }
}
