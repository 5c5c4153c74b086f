/** `postern doctor`: checks everything that a start needs, in the order of a start, and changes nothing. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CannotStart } from '../../base/refusal.ts'
import { readSettings, type Settings } from '../../settings.ts'
import type { StorePlaces } from '../../store/ports/places.ts'
import type { ExamineRequest, Finding } from '../../surfaces/cli/ports.ts'
import { filesIn } from '../data-files.ts'
import { findFiles } from './files.ts'
import { findInstance } from './instance.ts'
import { findClock, findDirectory, findDisk, findKeyFile, findNode, findTls } from './machine.ts'
import { findProviders } from './provider.ts'
import { findRunner } from './runner.ts'
import { findStore } from './store.ts'

/** One check. It answers what it found, several things at once, or nothing where there is nothing to look at. */
export type Check = (settings: Settings) => Promise<readonly Finding[]> | readonly Finding[]

/**
 * Looks at everything that a start needs and an instance lives from, and changes nothing: the store is read in a copy. A
 * check that itself breaks off is a finding too. In the order in which a start would meet them.
 */
export async function examine(
  places: StorePlaces,
  { data, env, isNetworkAsked }: ExamineRequest,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [findNode()]
  let settings: Settings
  try {
    settings = readSettings(data === null ? [] : ['--data', data], env)
    findings.push({ check: 'settings', state: 'ok', found: 'all are understood', fix: null })
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error
    const fix = 'Correct it; docs/settings.md names those there are.'
    return [...findings, { check: 'settings', state: 'fail', found: error.message, fix }]
  }
  const scratch = mkdtempSync(join(tmpdir(), 'postern-doctor-'))
  const checks: Readonly<Record<string, Check>> = {
    'data directory': findDirectory,
    'disk space': findDisk,
    'key file': findKeyFile,
    'TLS files': findTls,
    instance: findInstance,
    store: (its) => findStore(places, its, scratch, isNetworkAsked),
    files: ({ data }) => findFiles(data, filesIn(data, places)),
    'identity providers': (its) => findProviders(its, isNetworkAsked),
    runner: ({ runner }) => findRunner(runner),
    clock: findClock,
  }
  try {
    for (const [check, look] of Object.entries(checks)) {
      try {
        findings.push(...(await look(settings)))
      } catch (error) {
        const fix = 'See whether the file can be read, and start again.'
        findings.push({ check, state: 'fail', found: (error as Error).message, fix })
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return findings
}
