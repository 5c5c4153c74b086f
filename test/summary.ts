import { appendFileSync } from 'node:fs'
import type { TestEvent } from 'node:test/reporters'

/** In the reasons for which tests are skipped because a program is missing that can be installed. */
const MISSING =
  /\bnot installed\b|\bno Chromium was found\b|\bis not built\b|\bcannot be installed\b|^install \S+ to run/

/**
 * A reporter that says last which tests did not run, and why. Writes what failed into the file that the variable
 * `FAILED_TESTS` names, a line each: the file that Node ran, a tab, and the name of the test or suite. Where files share a
 * process (`together` in run.ts), the suite has the name of the test file. Writes into the file that `MISSING_PROGRAMS` names
 * the reasons that name a missing program.
 */
export default async function* summary(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const byReason = new Map<string, string[]>()
  const failed = process.env['FAILED_TESTS']
  for await (const { type, data } of events) {
    if (type === 'test:pass' && typeof data.skip === 'string')
      byReason.set(data.skip, [...(byReason.get(data.skip) ?? []), data.name])
    if (type === 'test:fail' && data.nesting === 0 && failed !== undefined)
      appendFileSync(failed, `${data.file ?? ''}\t${data.name}\n`)
  }
  const missing = process.env['MISSING_PROGRAMS']
  for (const reason of byReason.keys())
    if (missing !== undefined && MISSING.test(reason)) appendFileSync(missing, `${reason}\n`)
  for (const [reason, names] of byReason)
    yield `skipped: ${names.length === 1 ? names[0] : `${names.length} tests`}: ${reason}\n`
}
