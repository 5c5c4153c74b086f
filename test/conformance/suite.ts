/**
 * The official conformance suite of MCP as a program: how it is run, and how its results are read. It writes one file for
 * each scenario. Invariant: a scenario without such a file has not passed.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve, sep } from 'node:path'
import { parse } from 'yaml'

const PACKAGE = resolve(import.meta.dirname, '../../node_modules/@modelcontextprotocol/conformance')
/** A run of one set takes seconds; the machine may do other things as well. Milliseconds. */
const RUN_MS = 300_000
/** How directories of results end: the time of the run. */
const TIMESTAMP = /-\d{4}-\d{2}-\d{2}T[\d-]+Z$/

/** The revisions that the suite has requirements for. */
export const REQUIREMENT_SETS = ['2025-11-25', '2026-07-28'] as const
export type RequirementSet = (typeof REQUIREMENT_SETS)[number]

export interface ScenarioResult {
  readonly name: string
  readonly isRequired: boolean
  /** True when it ran and no check of it failed. */
  readonly hasPassed: boolean
  /** Checks with the status SUCCESS. */
  readonly passed: number
  /** Of each check that failed or warned: its id and why. Empty when it passed without a warning. */
  readonly findings: readonly string[]
}

export interface SuiteResult {
  /** 0 when no check of a required scenario failed. */
  readonly exitCode: number | null
  /** In the order of the suite: the required scenarios, then those that it runs without scoring them. */
  readonly scenarios: readonly ScenarioResult[]
  /** What the suite printed. */
  readonly output: string
}

interface Check {
  readonly id: string
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO'
  readonly description: string
  readonly errorMessage?: string
}

type Side = 'client' | 'server'

interface RequirementFile extends Readonly<Record<Side, readonly string[]>> {
  readonly not_scored: readonly { readonly scenario: string; readonly leg: Side }[]
}

function requirementsOf(requirements: RequirementSet): RequirementFile {
  const text = readFileSync(join(PACKAGE, 'requirements', `${requirements}.yaml`), 'utf8')
  // The suite itself checks the shape of its file
  return parse(text) as RequirementFile
}

/** The scenarios that a side must pass for a revision. */
export function requiredScenarios(requirements: RequirementSet, side: Side): readonly string[] {
  return requirementsOf(requirements)[side]
}

/** The scenarios that the suite runs for a side and never scores. */
export function unscoredScenarios(requirements: RequirementSet, side: Side): readonly string[] {
  return requirementsOf(requirements).not_scored.flatMap(({ scenario, leg }) =>
    leg === side ? [scenario] : [],
  )
}

/** What one run of the suite found, by scenario. */
export interface Run {
  readonly exitCode: number | null
  readonly output: string
  result(scenario: string, isRequired: boolean): ScenarioResult
}

/** Throws only when the suite cannot be started. */
export async function runSuite(
  side: Side,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-conformance-'))
  try {
    const { exitCode, output } = await run([side, ...args, '--output-dir', directory], env)
    const found = resultsIn(directory)
    const prefix = side === 'server' ? 'server-' : ''
    return {
      exitCode,
      output,
      result: (scenario, isRequired) => resultOf(scenario, isRequired, found.get(prefix + scenario)),
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [join(PACKAGE, 'dist/index.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN_MS,
    env: { ...process.env, ...env },
  })
  let output = ''
  const hear = (piece: Buffer): void => {
    output += piece.toString()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (exitCode) => done({ exitCode, output }))
  })
}

function resultsIn(directory: string): Map<string, readonly Check[]> {
  const found = new Map<string, readonly Check[]>()
  // Names of scenarios may have a slash
  for (const file of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith(`${sep}checks.json`)) continue
    const name = dirname(file).replaceAll(sep, '/').replace(TIMESTAMP, '')
    found.set(name, JSON.parse(readFileSync(join(directory, file), 'utf8')) as Check[])
  }
  return found
}

function resultOf(name: string, isRequired: boolean, checks: readonly Check[] | undefined): ScenarioResult {
  if (checks === undefined) {
    const findings = ['it did not run, or wrote no result']
    return { name, isRequired, hasPassed: false, passed: 0, findings }
  }
  const bad = checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
  return {
    name,
    isRequired,
    hasPassed: bad.every(({ status }) => status !== 'FAILURE'),
    passed: checks.filter(({ status }) => status === 'SUCCESS').length,
    findings: bad.map(
      ({ id, status, errorMessage, description }) =>
        `${status === 'FAILURE' ? 'failed' : 'warned'} ${id}: ${errorMessage ?? description}`,
    ),
  }
}
