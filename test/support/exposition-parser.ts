import assert from 'node:assert/strict'

export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly series: readonly Series[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const HELP = new RegExp(`^# HELP (${NAME}) (\\S.*)$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|\\+Inf|NaN)$`)
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/

/**
 * Reads a metrics page, and throws on whatever the format forbids: text 0.0.4 of Prometheus, or OpenMetrics 1.0.0. Each
 * family has its help, its type and then its series in one piece; no series comes twice; histograms are cumulative.
 */
export function parseExposition(text: string, format: 'prometheus' | 'openmetrics'): Family[] {
  assert.ok(text.endsWith('\n'), 'the last line ends')
  const lines = text.slice(0, -1).split('\n')
  if (format === 'openmetrics') assert.equal(lines.pop(), '# EOF')
  const families: { name: string; type: string; series: Series[] }[] = []
  const seen = new Set<string>()
  let help = ''
  for (const line of lines) {
    const helped = HELP.exec(line)
    if (helped !== null) {
      assert.equal(help, '', `a type must follow the help: ${line}`)
      help = helped[1]!
      assert.ok(!families.some(({ name }) => name === help), `the family comes twice: ${line}`)
      continue
    }
    const typed = TYPE.exec(line)
    if (typed !== null) {
      assert.equal(typed[1], help, `the type of another family: ${line}`)
      families.push({ name: help, type: typed[2]!, series: [] })
      help = ''
      continue
    }
    const sample = SAMPLE.exec(line)
    assert.ok(sample !== null, `no line of the format: ${line}`)
    const family = families.at(-1)
    assert.ok(family !== undefined && help === '', `a sample outside of a family: ${line}`)
    const labels = labelsOf(sample[2] ?? '', line)
    const key = `${sample[1]}${JSON.stringify(Object.entries(labels).sort())}`
    assert.ok(!seen.has(key), `the series comes twice: ${line}`)
    seen.add(key)
    assert.ok(namesOf(family, format).includes(sample[1]!), `a name of another family: ${line}`)
    family.series.push({ name: sample[1]!, labels, value: Number(sample[3]) })
  }
  assert.equal(help, '', 'a help without a type')
  for (const family of families) {
    if (family.type === 'counter')
      for (const { value } of family.series) assert.ok(value >= 0, `${family.name} is a counter`)
    if (family.type === 'histogram') assertHistograms(family)
  }
  return families
}

function namesOf({ name, type }: Family, format: 'prometheus' | 'openmetrics'): readonly string[] {
  if (type === 'histogram') return [`${name}_bucket`, `${name}_sum`, `${name}_count`]
  if (type === 'gauge') return [name]
  if (format === 'openmetrics') return [`${name}_total`]
  assert.ok(name.endsWith('_total'), `${name} is a counter`)
  return [name]
}

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  let rest = text
  while (rest !== '') {
    const label = LABEL.exec(rest)
    assert.ok(label !== null, `broken labels: ${line}`)
    assert.ok(!Object.hasOwn(labels, label[1]!), `a label comes twice: ${line}`)
    labels[label[1]!] = label[2]!.replace(/\\([\\"n])/g, (_, one) => (one === 'n' ? '\n' : one))
    rest = rest.slice(label[0].length)
  }
  return labels
}

function assertHistograms({ name, series }: Family): void {
  const groups = Map.groupBy(series, ({ labels }) => {
    const { le: _, ...others } = labels
    return JSON.stringify(others)
  })
  for (const [labels, group] of groups) {
    const what = `${name}${labels}`
    const buckets = group.filter((one) => one.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels: { le } }) => (le === '+Inf' ? Infinity : Number(le)))
    assert.ok(bounds.length > 1 && bounds.at(-1) === Infinity, `${what} has no +Inf`)
    for (let i = 1; i < bounds.length; i++) {
      assert.ok(bounds[i]! > bounds[i - 1]!, `${what}: bounds ascend`)
      assert.ok(buckets[i]!.value >= buckets[i - 1]!.value, `${what}: buckets are cumulative`)
    }
    const count = group.filter((one) => one.name === `${name}_count`)
    const sum = group.filter((one) => one.name === `${name}_sum`)
    assert.deepEqual([count.length, sum.length], [1, 1], what)
    assert.equal(count[0]!.value, buckets.at(-1)!.value, what)
  }
}
