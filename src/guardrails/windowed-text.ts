/** Text in pieces: each rule has its own window, and its output is the input of the next rule. */
import { type Hits, unchanged } from '../detectors/act.ts'
import { createWindow, type Window } from '../detectors/window.ts'
import type { Stop } from './apply.ts'
import type { Leg } from './names.ts'
import type { Chain, Rule } from './rule.ts'
import { countOf, type Tally } from './tally.ts'
import type { TextFilter } from './text-filter.ts'

/** Bytes of the longest value that is found for sure, wherever a text is split. */
const WINDOW_BYTES = 4096

interface Stage {
  readonly rule: Rule
  readonly hits: Hits
  /** Null for limits of size and for schemas. */
  readonly window: Window | null
  /** Of the text so far, for limits of size. */
  bytes: number
}

export class WindowedText implements TextFilter {
  stop: Stop | null = null
  readonly #stages: readonly Stage[]

  constructor(chain: Chain, leg: Leg, tally: Tally) {
    this.#stages = chain.map((rule) => {
      const { hits } = tally.of(rule, leg)
      const { detectors, act } = rule
      const window = detectors.hasSize ? null : createWindow(detectors, act ?? unchanged, WINDOW_BYTES, hits)
      return { rule, hits, window, bytes: 0 }
    })
  }

  push(text: string): string {
    return this.#through(text, false)
  }

  end(): string {
    return this.#through('', true)
  }

  #through(text: string, isEnd: boolean): string {
    let current = text
    for (const stage of this.#stages) {
      const { rule, hits, window } = stage
      const after = window === null ? counted(stage, current) : window.pushText(current)
      const rest = isEnd && window !== null ? window.end() : ''
      if (rule.blocks && countOf(hits) > 0) {
        this.stop = { rule, cause: 'found', reason: '' }
        return ''
      }
      // A rule that only counts holds nothing back
      if (rule.act !== null || rule.blocks) current = after + rest
    }
    return current
  }
}

function counted(stage: Stage, text: string): string {
  const { sizeMax } = stage.rule
  const before = stage.bytes
  stage.bytes += Buffer.byteLength(text)
  if (sizeMax !== null && before <= sizeMax && stage.bytes > sizeMax)
    stage.hits['size'] = { bytes: (stage.hits['size']?.['bytes'] ?? 0) + 1 }
  if (stage.rule.fits !== null && stage.bytes > 0) stage.hits['schema'] = { not_json: 1 }
  return text
}
