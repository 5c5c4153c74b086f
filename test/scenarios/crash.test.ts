import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { killNow, runPostern, startUp, temporaryDirectory } from './process.ts'
import { call } from './server.ts'

test('killed in the middle of writes, configuration and audit agree after the restart, and what was answered is there', async () => {
  const data = await temporaryDirectory()
  const answered = new Set<string>()
  let round = 0
  for (const killAfter of [9, 23, 40]) {
    round += 1
    const up = await startUp(data)
    const token = (
      await runPostern(['token', '--role', 'admin', '--ttl', '15m', '--data', data])
    ).stdout.trim()
    const create = async (slug: string): Promise<void> => {
      const reply = await call('POST', `${up.controlUrl}/management/v1/policies`, {
        token,
        body: { name: slug, slug, limits: [{ name: 'minute', kind: 'rate', max: 5, window: '1m' }] },
      })
      if (reply.status === 201) answered.add(slug)
      if (answered.size >= killAfter) up.child.kill('SIGKILL')
    }
    // Eight writers at once, until the process is gone.
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let i = 0; i < 100; i++) {
          const failed = await create(`r${round}-w${writer}-n${i}`).then(
            () => false,
            () => true,
          )
          if (failed) return
        }
      }),
    )
    await killNow(up)
  }
  const up = await startUp(data)
  const token = (await runPostern(['token', '--role', 'admin', '--ttl', '15m', '--data', data])).stdout.trim()
  const stored = new Set(
    await slugs(`${up.controlUrl}/management/v1/policies?limit=200`, token, (item) => item.slug),
  )
  const audited = new Set(
    await slugs(
      `${up.controlUrl}/management/v1/audit?operation=policies.create&limit=200`,
      token,
      (item) => item.resource.slug,
    ),
  )
  for (const slug of answered) assert.ok(stored.has(slug), `${slug} was answered and is gone`)
  assert.deepEqual(
    [...stored].sort(),
    [...audited].sort(),
    'each stored policy has its audit entry and the other way round',
  )
  await killNow(up)
  await rm(data, { recursive: true })
})

// biome-ignore lint/suspicious/noExplicitAny: items of two resources
async function slugs(url: string, token: string, of: (item: any) => string): Promise<string[]> {
  const found: string[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof call>> = await call(
      'GET',
      cursor === null ? url : `${url}&cursor=${encodeURIComponent(cursor)}`,
      { token },
    )
    assert.equal(page.status, 200, page.text)
    found.push(...page.json.items.map(of))
    cursor = page.json.next_cursor
  } while (cursor !== null)
  return found
}
