/**
 * Precision on ordinary texts, recall on texts that really hold something, and on spellings that servers undo. The texts of
 * `bench/corpus` were written by somebody who had not read the detectors. Detectors are tuned on the parts `open` and `held`; the part
 * `third` tells whether that holds for other texts.
 */
import { readFileSync } from 'node:fs'
import type { Detectors } from '../../src/detectors/compile.ts'
import { PARTINGS, planted, SPELLINGS, seeded } from '../../test/support/planted-values.ts'
import type { Table } from './results.ts'

interface Corpus {
  /** `has` names the kinds that a text really holds. */
  readonly texts: readonly { readonly text: string; readonly has: readonly string[] }[]
  readonly tools: readonly { readonly name: string; readonly description: string }[]
}

/** Texts and tools that hold something of one of the kinds `has`. The value of a tool is its whole description. */
interface TrueCorpus {
  readonly texts: readonly {
    readonly kind: string
    readonly text: string
    readonly has: readonly string[]
    readonly value: string
  }[]
  readonly tools: readonly {
    readonly name: string
    readonly description: string
    readonly has: readonly string[]
  }[]
}

const HALVES = ['open', 'held', 'third'] as const

function corpusOf<Content>(name: string): Content {
  return JSON.parse(readFileSync(new URL(`../corpus/${name}.json`, import.meta.url), 'utf8')) as Content
}

/** Texts and numbers of a value with what is found in them. */
export function reports(
  detectors: Detectors,
  value: unknown,
  name: string,
  report: (kind: string, text: string) => void,
): void {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value) && value >= 1e6)) {
    const text = String(value)
    for (const { kind, start, end } of detectors.find(text, name)) report(kind, text.slice(start, end))
  } else if (Array.isArray(value)) for (const item of value) reports(detectors, item, name, report)
  else if (value !== null && typeof value === 'object')
    for (const [member, inner] of Object.entries(value)) reports(detectors, inner, member, report)
}

/** What is reported in a text, as a text and, where it is JSON, member by member. */
function eachReport(detectors: Detectors, text: string, report: (kind: string, text: string) => void): void {
  reports(detectors, text, '', report)
  try {
    reports(detectors, JSON.parse(text), '', report)
  } catch {
    // No JSON
  }
}

function kindsIn(detectors: Detectors, text: string): ReadonlySet<string> {
  const kinds = new Set<string>()
  eachReport(detectors, text, (kind) => kinds.add(kind))
  return kinds
}

/** Of one part: the share of texts in which nothing is reported that they do not hold, and how often each kind is. */
function precisionOf(detectors: Detectors, half: (typeof HALVES)[number]) {
  const { texts, tools } = corpusOf<Corpus>(`ordinary-${half}`)
  const wrong = new Map<string, number>()
  const isClean = (text: string, has: readonly string[]): boolean => {
    const kinds = [...kindsIn(detectors, text)].filter((kind) => !has.includes(kind))
    for (const kind of kinds) wrong.set(kind, (wrong.get(kind) ?? 0) + 1)
    return kinds.length === 0
  }
  const cleanTexts = texts.filter(({ text, has }) => isClean(text, has)).length
  const cleanTools = tools.filter(({ description }) => isClean(description, [])).length
  return {
    half,
    texts: texts.length,
    tools: tools.length,
    share: (cleanTexts + cleanTools) / (texts.length + tools.length),
    wrong: [...wrong].map(([kind, count]) => `${kind} ${count}`).join(', ') || '-',
  }
}

/** The precision of each part, and a table of all. */
export function ordinaryTexts(detectors: Detectors): { readonly least: number; readonly table: Table } {
  const halves = HALVES.map((half) => precisionOf(detectors, half))
  return {
    least: Math.min(...halves.map(({ share }) => share)),
    table: {
      columns: ['part of the corpus', 'texts', 'tools', 'without a false report', 'false reports'],
      rows: halves.map(({ half, texts, tools, share, wrong }) => [
        half,
        texts,
        tools,
        share.toFixed(4),
        wrong,
      ]),
    },
  }
}

/** How many of the texts and tools of `true-third` are reported as one of the kinds that they hold, by the first of these. */
export function trueRecall(detectors: Detectors): {
  readonly share: number
  readonly table: Table
  /** Those that are not found. */
  readonly missed: readonly string[]
} {
  const { texts, tools } = corpusOf<TrueCorpus>('true-third')
  const items = [
    ...texts,
    ...tools.map(({ description, has }) => ({ text: description, has, value: description })),
  ]
  const rows = new Map<string, { all: number; found: number }>()
  const missed: string[] = []
  for (const { text, has, value } of items) {
    const row = rows.get(has[0]!) ?? { all: 0, found: 0 }
    rows.set(has[0]!, row)
    let isFound = false
    eachReport(detectors, text, (kind, span) => {
      if (has.includes(kind) && (value.includes(span) || span.includes(value))) isFound = true
    })
    row.all++
    if (isFound) row.found++
    else missed.push(text)
  }
  return {
    share: 1 - missed.length / items.length,
    table: {
      columns: ['kind that a text holds', 'texts', 'found', 'recall'],
      rows: [...rows].map(([kind, { all, found }]) => [kind, all, found, (found / all).toFixed(3)]),
    },
    missed,
  }
}

/** How many cards, phone numbers, IBANs and ids are found in each spelling. */
export function spelledRecall(
  detectors: Detectors,
  each: number,
): { readonly least: number; readonly table: Table } {
  const rows = [
    ...Object.entries(SPELLINGS).map(([name, spelt]) => ({ name, spelt, isParted: false })),
    ...Object.entries(PARTINGS).map(([name, spelt]) => ({ name, spelt, isParted: true })),
  ].map(({ name, spelt, isParted }) => {
    const random = seeded(24)
    let found = 0
    let all = 0
    for (const kind of isParted
      ? (['card'] as const)
      : (['card', 'phone', 'iban', 'us_ssn', 'br_cpf'] as const))
      for (let round = 0; round < each; round++) {
        const { value } = planted(random, kind)
        if (isParted && value.replaceAll(/\D/g, '').length !== 16) continue
        all++
        if (kindsIn(detectors, `a note with ${spelt(value)} in it`).has(kind)) found++
      }
    return { name, all, recall: found / all }
  })
  return {
    least: Math.min(...rows.map(({ recall }) => recall)),
    table: {
      columns: ['spelling', 'planted', 'recall'],
      rows: rows.map(({ name, all, recall }) => [name, all, recall.toFixed(3)]),
    },
  }
}
