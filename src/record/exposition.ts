/** Prints the metrics page as Prometheus text 0.0.4 or OpenMetrics 1.0.0. */
import {
  CLASS_LABELS,
  type CountTotals,
  GATEWAY_BUCKETS,
  HIT_LABELS,
  type HistogramCounts,
  LEG_LABELS,
  SURFACE_LABELS,
  TOKEN_LABELS,
  UPSTREAM_BUCKETS,
} from './request-counts.ts'

/** The two formats that scrapers ask for: Prometheus text 0.0.4, and OpenMetrics 1.0.0. */
export type ExpositionFormat = 'prometheus' | 'openmetrics'

export const EXPOSITION_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

/** The format that an Accept field asks for. */
export function expositionFormatOf(accept: string): ExpositionFormat {
  return accept.includes('application/openmetrics-text') ? 'openmetrics' : 'prometheus'
}

/** Figures of the process and of the instance, beside the counts of requests. */
export interface InstanceFigures {
  readonly version: string
  /** Seconds since the epoch. */
  readonly startedAt: number
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly ready: boolean
  /** Gateway threads that listen, and how many there are to be. */
  readonly threads: number
  readonly workers: number
  /** Gateway threads whose event loop is blocked. */
  readonly stalled: number
  /** Nodes on the database of this one; null where data is in files. */
  readonly nodes: { readonly counted: number; readonly silent: number } | null
  /** Null where the settings name no Valkey. */
  readonly isValkeyUp: boolean | null
  /** Origins that cannot be reached. */
  readonly originsDown: number
  /** Gateway threads that were replaced since the start, by the reason. */
  readonly replaced: Readonly<Record<string, number>>
  readonly recordsDropped: number
  /** Whether each store can be used, and the fault of its file, by the name of the store. */
  readonly stores: Readonly<Record<string, { readonly isAvailable: boolean; readonly fault: string | null }>>
}

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]

/** The text of the metrics page. Series are bounded by collections, virtual MCPs, guardrails, models, checks and codes, never by routes or callers. */
export function toExposition(
  { collections, virtualMcps, guardrails, models, refusals, threads }: CountTotals,
  figures: InstanceFigures,
  format: ExpositionFormat,
): string {
  const page = new Page(format)
  const named = threads
    .map((thread, slot) => [slot === threads.length - 1 ? 'main' : `gateway-${slot}`, thread] as const)
    // A slot that no thread has used says nothing
    .filter(([, { heapUsedBytes }]) => heapUsedBytes > 0)
  page.counter(
    'postern_requests',
    'Requests at the published APIs and messages at /mcp and below, by collection, surface and status class.',
    collections.flatMap(({ slug, requests }) =>
      requests.flatMap((classes, surface) =>
        classes.flatMap((count, index): Sample[] =>
          count === 0
            ? []
            : [[{ collection: slug, surface: SURFACE_LABELS[surface]!, class: CLASS_LABELS[index]! }, count]],
        ),
      ),
    ),
  )
  page.counter(
    'postern_virtual_mcp_requests',
    'Messages at virtual MCPs, by virtual MCP and status class. postern_requests includes them.',
    virtualMcps.flatMap(({ slug, requests }) =>
      requests.flatMap((count, index): Sample[] =>
        count === 0 ? [] : [[{ virtual_mcp: slug, class: CLASS_LABELS[index]! }, count]],
      ),
    ),
  )
  page.counter(
    'postern_refusals',
    'Requests that Postern refused or could not serve, by the check that ended them and the problem code.',
    refusals.map(({ check, code, count }) => [{ check, code }, count]),
  )
  page.counter(
    'postern_guardrail_hits',
    'Findings of guardrails, by guardrail, leg and action; failed counts content that could not be checked.',
    guardrails.flatMap(({ slug, hits }) =>
      hits.flatMap((counts, leg) =>
        counts.flatMap((count, index): Sample[] =>
          count === 0
            ? []
            : [[{ guardrail: slug, leg: LEG_LABELS[leg]!, outcome: HIT_LABELS[index]! }, count]],
        ),
      ),
    ),
  )
  page.counter(
    'postern_llm_tokens',
    'Tokens of language models that llm_node of workflows has used, as their servers count them.',
    models.flatMap(({ model, tokens }) =>
      tokens.flatMap((count, index): Sample[] =>
        count === 0 ? [] : [[{ model, kind: TOKEN_LABELS[index]! }, count]],
      ),
    ),
  )
  page.histogram(
    'postern_gateway_duration_seconds',
    'Time that Postern spent on answered requests, without the time at the upstream.',
    GATEWAY_BUCKETS,
    collections.map(({ slug, gateway }) => [{ collection: slug }, gateway]),
  )
  page.histogram(
    'postern_upstream_duration_seconds',
    'Time that answered requests spent at the upstream.',
    UPSTREAM_BUCKETS,
    collections.map(({ slug, upstream }) => [{ collection: slug }, upstream]),
  )
  page.counter('postern_records_dropped', 'Request records that were lost.', [[{}, figures.recordsDropped]])
  page.gauge('postern_config_revision', 'Configuration revision that the thread serves.', [
    ...named
      .filter(([thread]) => thread !== 'main')
      .map(([thread, { revision }]): Sample => [{ thread }, revision]),
  ])
  page.gauge('postern_ready', '1 if the instance takes traffic.', [[{}, Number(figures.ready)]])
  page.gauge('postern_gateway_threads', 'Gateway threads that listen.', [[{}, figures.threads]])
  page.gauge('postern_gateway_workers', 'Configured gateway threads.', [[{}, figures.workers]])
  page.gauge('postern_gateway_threads_stalled', 'Gateway threads whose event loop is blocked.', [
    [{}, figures.stalled],
  ])
  if (figures.nodes !== null)
    page.gauge(
      'postern_nodes',
      'Nodes on the database, by state. A silent node is not counted for limits.',
      Object.entries(figures.nodes).map(([state, count]) => [{ state }, count]),
    )
  if (figures.isValkeyUp !== null)
    page.gauge(
      'postern_valkey_up',
      '1 if limits are counted in Valkey, 0 while this node enforces its part.',
      [[{}, Number(figures.isValkeyUp)]],
    )
  page.gauge('postern_origins_down', 'MCP servers that cannot be reached, or answer 5xx.', [
    [{}, figures.originsDown],
  ])
  page.counter(
    'postern_gateway_threads_replaced',
    'Gateway threads that were replaced, by the reason.',
    Object.entries(figures.replaced).map(([reason, count]) => [{ reason }, count]),
  )
  page.gauge(
    'postern_store_available',
    '1 if the store can be used.',
    Object.entries(figures.stores).map(([store, { isAvailable }]) => [{ store }, Number(isAvailable)]),
  )
  page.gauge(
    'postern_store_fault',
    'Always 1; the labels name the fault of the file of a store.',
    Object.entries(figures.stores).flatMap(([store, { fault }]): Sample[] =>
      fault === null ? [] : [[{ store, fault }, 1]],
    ),
  )
  page.gauge(
    'postern_heap_used_bytes',
    'JavaScript heap in use.',
    named.map(([thread, { heapUsedBytes }]) => [{ thread }, heapUsedBytes]),
  )
  page.gauge(
    'postern_heap_size_bytes',
    'Reserved JavaScript heap.',
    named.map(([thread, { heapTotalBytes }]) => [{ thread }, heapTotalBytes]),
  )
  page.gauge(
    'postern_event_loop_lag_seconds',
    'Longest delay of the event loop in the last 5 seconds.',
    named.map(([thread, { lagSeconds }]) => [{ thread }, lagSeconds]),
  )
  page.gauge(
    'postern_mcp_parked_calls',
    'Calls over MCP that wait for input of their clients.',
    named.map(([thread, { parkedCalls }]) => [{ thread }, parkedCalls]),
  )
  page.gauge('process_resident_memory_bytes', 'Resident memory.', [[{}, figures.residentBytes]])
  page.counter('process_cpu_seconds', 'CPU time of the process.', [[{}, figures.cpuSeconds]])
  page.gauge('process_start_time_seconds', 'Start of the process, seconds since the epoch.', [
    [{}, figures.startedAt],
  ])
  page.gauge('postern_build_info', 'Always 1; the label names the version.', [
    [{ version: figures.version }, 1],
  ])
  return page.text
}

class Page {
  readonly #format: ExpositionFormat
  #text = ''

  constructor(format: ExpositionFormat) {
    this.#format = format
  }

  get text(): string {
    return this.#format === 'openmetrics' ? `${this.#text}# EOF\n` : this.#text
  }

  /** @param name without `_total`, which its samples get. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    const total = `${name}_total`
    this.#head(this.#format === 'openmetrics' ? name : total, 'counter', help)
    for (const [labels, value] of samples) this.#sample(total, labels, value)
  }

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    this.#head(name, 'gauge', help)
    for (const [labels, value] of samples) this.#sample(name, labels, value)
  }

  /** Histograms that have counted nothing are left out. */
  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    histograms: readonly (readonly [labels: Labels, counts: HistogramCounts])[],
  ): void {
    this.#head(name, 'histogram', help)
    for (const [labels, { buckets, sumSeconds }] of histograms) {
      if (buckets.every((count) => count === 0)) continue
      let below = 0
      for (const [index, count] of buckets.entries()) {
        below += count
        const bound = bounds[index]
        this.#sample(
          `${name}_bucket`,
          { ...labels, le: bound === undefined ? '+Inf' : toFloat(bound) },
          below,
        )
      }
      this.#sample(`${name}_sum`, labels, sumSeconds)
      this.#sample(`${name}_count`, labels, below)
    }
  }

  #head(name: string, type: string, help: string): void {
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
    this.#text += `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** As OpenMetrics writes bounds: with a decimal point. */
function toFloat(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound)
}
