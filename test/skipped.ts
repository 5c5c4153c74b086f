import type { TestEvent } from 'node:test/reporters'

/** A reporter that says last which tests did not run, and why. */
export default async function* skipped(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const byReason = new Map<string, string[]>()
  for await (const { type, data } of events)
    if (type === 'test:pass' && typeof data.skip === 'string')
      byReason.set(data.skip, [...(byReason.get(data.skip) ?? []), data.name])
  for (const [reason, names] of byReason)
    yield `skipped: ${names.length === 1 ? names[0] : `${names.length} tests`}: ${reason}\n`
}
