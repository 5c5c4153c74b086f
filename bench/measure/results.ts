import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describeMachine, type Machine } from './machine.ts'
import type { Comparison } from './rounds.ts'

const OUT = resolve(import.meta.dirname, '../out')
const REPORT = resolve(import.meta.dirname, '../RESULTS.md')

/** What one measurement says. */
export interface Outcome {
  readonly name: string
  readonly title: string
  readonly bar: string
  /** Null where the bar was not measured; by candidate where it is judged for several. */
  readonly met: boolean | null | Readonly<Record<string, boolean>>
  /** The first is the peer that the ratios are against. */
  readonly comparisons: readonly Comparison[]
  /** Further comparisons, each with a first candidate of its own, by what they compare. */
  readonly further?: Readonly<Record<string, readonly Comparison[]>>
  /** Single figures with their unit in the name. */
  readonly facts: Readonly<Record<string, number | string>>
  readonly tables?: readonly Table[]
}

/** Figures that compare no candidates. */
export interface Table {
  readonly columns: readonly string[]
  /** Each as long as `columns`. */
  readonly rows: readonly (readonly (number | string)[])[]
}

interface Kept {
  readonly date: string
  readonly quick: boolean
  readonly machine: Machine
  readonly outcome: Outcome
}

export function skipped(name: string, missing: readonly string[]): Outcome {
  return {
    name,
    title: name,
    bar: `not measured: missing ${missing.join(', ')}`,
    met: null,
    comparisons: [],
    facts: {},
  }
}

/** Prints the outcome; keeps it as data, and of whole runs in the report too. */
export function keep(outcome: Outcome, quick: boolean): void {
  console.log(tableOf(outcome))
  if (outcome.met === null && outcome.comparisons.length === 0 && outcome.tables === undefined) return
  mkdirSync(OUT, { recursive: true })
  const kept: Kept = {
    date: new Date().toISOString().slice(0, 10),
    quick,
    machine: describeMachine(),
    outcome,
  }
  writeFileSync(
    join(OUT, `${outcome.name}${quick ? '.quick' : ''}.json`),
    `${JSON.stringify(kept, null, 2)}\n`,
  )
  if (!quick) writeFileSync(REPORT, withSection(readFileSync(REPORT, 'utf8'), kept))
}

/** A section of the report begins with its name, which no reader sees. */
const SECTION = /^<!-- (\S+) -->\n/

/** The report with what was kept in the place of the section of that name. All other sections stay as they are. */
function withSection(report: string, { date, machine, outcome }: Kept): string {
  const { node, nginx, wrk, kernel, cpu, cores, memoryGb } = machine
  const where = `${date}: Node ${node}, nginx ${nginx}, wrk ${wrk}, Linux ${kernel}, ${cpu}, ${cores} cores, ${memoryGb} GB`
  const sections = new Map<string, string>()
  for (const part of report.split(/^(?=<!-- )/m)) {
    const name = SECTION.exec(part)?.[1]
    if (name !== undefined) sections.set(name, part.trim())
  }
  sections.set(outcome.name, `<!-- ${outcome.name} -->\n${tableOf(outcome)}\n\n${where}`)
  const names = [...sections.keys()].sort()
  return `${HEAD}\n${names.map((name) => sections.get(name)).join('\n\n')}\n`
}

const HEAD = `# Results of the benchmarks

Written by \`npm run bench\`. Load and upstream are pinned to one core, the candidate with all its threads to another;
candidates take turns, and the figures are medians over the rounds. The ratio is that of CPU seconds (user and system)
of the whole process tree per 100,000 requests, round by round, with its lowest and highest value: it says more than
requests per second, which depend on the machine.
`

function verdictOf(met: Outcome['met']): string {
  if (met === null) return ''
  const said = (one: boolean): string => (one ? 'met' : 'not met')
  if (typeof met === 'boolean') return ` (${said(met)})`
  return ` (${Object.entries(met)
    .map(([candidate, one]) => `${candidate}: ${said(one)}`)
    .join('; ')})`
}

function comparisonLines(comparisons: readonly Comparison[], heading = 'candidate'): string[] {
  if (comparisons.length === 0) return []
  const lines = ['', `| ${heading} | CPU-s/100k | ratio | requests/s | p50 ms | p99 ms | RSS MB |`]
  lines.push('|---|---|---|---|---|---|---|')
  for (const { name, figures, ratio, spread } of comparisons) {
    const { cpuPer100k, requestsPerSecond, p50, p99, rssMb } = figures
    const range = `${ratio.toFixed(2)} (${spread.map((one) => one.toFixed(2)).join(' to ')})`
    lines.push(
      `| ${name} | ${cpuPer100k.toFixed(2)} | ${range} | ${Math.round(requestsPerSecond)} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${Math.round(rssMb)} |`,
    )
  }
  return lines
}

function tableOf({ title, bar, met, comparisons, further = {}, facts, tables = [] }: Outcome): string {
  const lines = [`## ${title}`, '', `Bar: ${bar}${verdictOf(met)}.`, ...comparisonLines(comparisons)]
  for (const [heading, others] of Object.entries(further)) lines.push(...comparisonLines(others, heading))
  for (const { columns, rows } of tables) {
    lines.push('', `| ${columns.join(' | ')} |`, `|${'---|'.repeat(columns.length)}`)
    for (const row of rows) lines.push(`| ${row.join(' | ')} |`)
  }
  const figures = Object.entries(facts).map(([name, value]) => `- ${name}: ${value}`)
  if (figures.length > 0) lines.push('', ...figures)
  return lines.join('\n')
}
