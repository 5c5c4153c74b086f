/**
 * Claim: the built-in detectors together read a JSON body of 10 KB at 50 MB/s per core, and report nothing in 99 of 100 ordinary texts. Also
 * tells how many of the values that are planted in ordinary JSON, and in other spellings, each kind finds (recall), and how many of those that
 * it reports were planted (precision).
 */

import { type Act, compileAction } from '../src/detectors/act.ts'
import { compileDetectors, type Detectors } from '../src/detectors/compile.ts'
import { actedJson } from '../src/detectors/json.ts'
import { createWindow } from '../src/detectors/window.ts'
import { chars, PLANTED_KINDS, planted, type Random, seeded } from '../test/support/planted-values.ts'
import { bodyOf, INJECTIONS, ordinary, sentence } from './measure/corpus.ts'
import { ordinaryTexts, reports, spelledRecall, trueRecall } from './measure/ordinary.ts'
import type { Outcome, Table } from './measure/results.ts'

const BODY_BYTES = 10_240
const BODIES = 50
const ROUNDS = 9
const ROUND_MS = 400
const BAR = 50
const PRECISION_BAR = 0.99
const SEED = 20_26

/** How planted values stand in a document. */
const PLACES = {
  /** Under a name that says what they are. */
  named: (document: Record<string, unknown>, name: string, value: string) => ({ ...document, [name]: value }),
  /** Under a name that says nothing. */
  bare: (document: Record<string, unknown>, _name: string, value: string) => ({ ...document, value }),
  /** In the middle of a sentence. */
  text: (document: Record<string, unknown>, _name: string, value: string, random: Random) => ({
    ...document,
    remark: `${sentence(random, 5)} ${value} ${sentence(random, 4)}`,
  }),
}
type Place = keyof typeof PLACES

interface Score {
  planted: number
  found: number
  /** Reported, and not planted. */
  wrong: number
  /** Found by place. */
  readonly places: Record<Place, { planted: number; found: number }>
}

export async function detectors(quick: boolean): Promise<Outcome> {
  const all = compileDetectors([{ detector: 'pii' }, { detector: 'secrets' }, { detector: 'injection' }])
  const { scores, documents, bytes } = judge(all, quick ? 20 : 200)
  const speeds = measure(all, quick)
  const body = speeds['texts of the parsed body']!
  const texts = ordinaryTexts(all)
  const held = trueRecall(all)
  const spelled = spelledRecall(all, quick ? 20 : 200)
  return {
    name: 'detectors',
    title: 'Built-in detectors (pii, secrets, injection) on ordinary JSON',
    bar: `all together read the texts of a body of 10 KB at ${BAR} MB/s per core or more, and report nothing in ${PRECISION_BAR * 100} of 100 ordinary texts`,
    met: body >= BAR && texts.least >= PRECISION_BAR,
    comparisons: [],
    tables: [speedTable(speeds), scoreTable(scores), texts.table, held.table, spelled.table],
    facts: {
      'recall in texts that hold something': Math.round(held.share * 1e4) / 1e4,
      'least recall of a spelling': spelled.least,
      'documents without a planted value': documents,
      'their size, MB': Math.round(bytes / 1e5) / 10,
      'false reports in a MB of them, all kinds together': Math.round(falseReports(all, quick)),
    },
  }
}

function judge(all: Detectors, each: number) {
  const scores = new Map<string, Score>()
  const scoreOf = (kind: string): Score => {
    let score = scores.get(kind)
    if (score === undefined) {
      const places = {
        named: { planted: 0, found: 0 },
        bare: { planted: 0, found: 0 },
        text: { planted: 0, found: 0 },
      }
      score = { planted: 0, found: 0, wrong: 0, places }
      scores.set(kind, score)
    }
    return score
  }
  const random = seeded(SEED)
  let documents = 0
  let bytes = 0
  for (let round = 0; round < each; round++) {
    for (const kind of PLANTED_KINDS)
      for (const place of Object.keys(PLACES) as Place[]) {
        const { name, value } = planted(random, kind)
        // A value that only its name tells to be a secret is planted with its name
        const inText = kind === 'named' ? `${name}=${value}` : value
        if (kind === 'named' && place === 'bare') continue
        const document = PLACES[place](ordinary(random), name, place === 'text' ? inText : value, random)
        score(all, scoreOf, document, kind, value, place)
      }
    for (const [kind, text] of INJECTIONS) {
      const place = round % 2 === 0 ? 'bare' : 'text'
      score(all, scoreOf, PLACES[place](ordinary(random), 'description', text, random), kind, text, place)
    }
    for (let more = 0; more < 200; more++) {
      const document = ordinary(random)
      documents++
      bytes += JSON.stringify(document).length
      reports(all, document, '', (found) => scoreOf(found).wrong++)
    }
  }
  return { scores, documents, bytes }
}

function score(
  all: Detectors,
  scoreOf: (kind: string) => Score,
  document: object,
  kind: string,
  value: string,
  place: Place,
): void {
  let isFound = false
  reports(all, document, '', (found, text) => {
    const isPlanted = text === value || value.includes(text) || text.includes(value)
    if (found === kind && isPlanted) isFound = true
    // A password of a connection string is its value; a token behind a name is both
    else if (!isPlanted) scoreOf(found).wrong++
  })
  const counted = scoreOf(kind)
  counted.planted++
  counted.places[place].planted++
  if (isFound) {
    counted.found++
    counted.places[place].found++
  }
}

/** Reports in a megabyte of ordinary documents. */
function falseReports(all: Detectors, quick: boolean): number {
  const random = seeded(SEED + 1)
  const size = quick ? 100_000 : 1_000_000
  let count = 0
  reports(all, JSON.parse(bodyOf(random, size)), '', () => count++)
  return (count * 1_000_000) / size
}

function scoreTable(scores: ReadonlyMap<string, Score>): Table {
  const share = (part: number, of: number): string => (of === 0 ? '-' : (part / of).toFixed(3))
  const rows = [...scores].map(([kind, { planted: count, found, wrong, places }]) => [
    kind,
    count,
    share(found, count),
    ...(['named', 'bare', 'text'] as const).map((place) => share(places[place].found, places[place].planted)),
    wrong,
    share(found, found + wrong),
  ])
  return {
    columns: [
      'kind',
      'planted',
      'recall',
      'under its name',
      'under another name',
      'in a sentence',
      'false reports',
      'precision',
    ],
    rows,
  }
}

/** MB/s of each way to use the detectors, on one core: medians over rounds in which they take turns. */
function measure(all: Detectors, quick: boolean): Record<string, number> {
  const random = seeded(SEED + 2)
  const bodies = Array.from({ length: BODIES }, () => bodyOf(random, BODY_BYTES))
  const parsed = bodies.map((body): unknown => JSON.parse(body))
  const prose = bodies.map(() => Array.from({ length: 100 }, () => sentence(random, 16)).join(' '))
  const encoded = bodies.map(() => chars(random, BODY_BYTES, 'ABCDEFabcdef0123456789+/'))
  const pieces = bodies.map((body) => Buffer.from(body))
  const redact = compileAction({ action: 'redact' })
  const one = (detector: 'pii' | 'secrets' | 'injection'): Detectors => compileDetectors([{ detector }])
  const [pii, secrets, injection] = [one('pii'), one('secrets'), one('injection')]
  const own = compileDetectors([
    { detector: 'regex', patterns: [{ kind: 'own', pattern: '\\bACME-[0-9]{6}\\b' }] },
  ])
  const ways: Record<string, () => unknown> = {
    'texts of the parsed body': () =>
      each(parsed, (value) => actedJson(value, { detectors: all, act: redact }, {})),
    'parsing the body, and its texts': () =>
      each(bodies, (body) => actedJson(JSON.parse(body), { detectors: all, act: redact }, {})),
    'parsing the body alone': () => each(bodies, (body) => JSON.parse(body)),
    'the body as one text': () => each(bodies, (body) => all.find(body)),
    'pii, the body as one text': () => each(bodies, (body) => pii.find(body)),
    'secrets, the body as one text': () => each(bodies, (body) => secrets.find(body)),
    'injection, the body as one text': () => each(bodies, (body) => injection.find(body)),
    'a pattern of an administrator': () => each(bodies, (body) => own.find(body)),
    'prose as one text': () => each(prose, (text) => all.find(text)),
    'base64 as one text': () => each(encoded, (text) => all.find(text)),
    'a stream in pieces of 1 KB': () => each(pieces, (body) => stream(all, redact, body)),
  }
  const bytes = bodies.reduce((sum, { length }) => sum + length, 0)
  const proseBytes = prose.reduce((sum, { length }) => sum + length, 0)
  const sizeOf = (name: string): number =>
    name.startsWith('prose') ? proseBytes : name.startsWith('base64') ? BODIES * BODY_BYTES : bytes
  const rounds = quick ? 3 : ROUNDS
  const figures = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++)
    for (const [name, way] of Object.entries(ways)) {
      const speed = rate(way, sizeOf(name), quick ? ROUND_MS / 4 : ROUND_MS)
      // The first round warms up
      if (round > 0) figures.get(name)!.push(speed)
    }
  return Object.fromEntries([...figures].map(([name, speeds]) => [name, median(speeds)]))
}

function each<Item>(list: readonly Item[], use: (item: Item) => unknown): void {
  for (const item of list) use(item)
}

function stream(all: Detectors, act: Act, body: Buffer): void {
  const window = createWindow(all, act, 4096)
  for (let at = 0; at < body.length; at += 1024) window.push(body.subarray(at, at + 1024))
  window.end()
}

/** MB for each second of CPU time of this process. */
function rate(way: () => unknown, bytes: number, ms: number): number {
  const begun = process.cpuUsage()
  const end = performance.now() + ms
  let times = 0
  do {
    way()
    times++
  } while (performance.now() < end)
  const { user, system } = process.cpuUsage(begun)
  return (times * bytes) / (user + system)
}

function median(list: number[]): number {
  const sorted = list.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

function speedTable(speeds: Readonly<Record<string, number>>): Table {
  return {
    columns: ['what is read, 10 KB each', 'MB/s of CPU time'],
    rows: Object.entries(speeds).map(([name, speed]) => [name, Math.round(speed)]),
  }
}
