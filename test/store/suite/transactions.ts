import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { holdThread, turnsDuring } from '../../support/main-thread.ts'
import { type MakePlace, policy } from '../place.ts'

export function transactionsSuite(name: string, make: MakePlace): void {
  test(`${name}: transactions run one after the other in order of arrival and never mix`, async () => {
    const store = await (await make()).open()
    const order: string[] = []
    const all = Array.from({ length: 20 }, (_, n) =>
      store
        .write(async (writer) => {
          order.push(`begin ${n}`)
          const before = await writer.revision()
          await writer.insert(policy(`pol_${n}`, `p${n}`))
          await turn()
          assert.equal(await writer.nextRevision(), before + 1)
          order.push(`end ${n}`)
          if (n % 3 === 0) throw new Error('undo')
        })
        .catch(() => {}),
    )
    await Promise.all(all)
    assert.deepEqual(
      order,
      all.flatMap((_, n) => [`begin ${n}`, `end ${n}`]),
    )
    const left = await store.read.all('policies')
    assert.equal(left.length, 13)
    assert.equal(await store.read.revision(), 13)
    await store.close()
  })

  test(`${name}: a read waits for no transaction and sees nothing unfinished`, async () => {
    const store = await (await make()).open()
    await store.write(async (writer) => {
      await writer.insert(policy('pol_1', 'one'))
      assert.equal((await writer.all('policies')).length, 1)
      assert.equal((await store.read.all('policies')).length, 0)
    })
    assert.equal((await store.read.all('policies')).length, 1)
    await store.close()
  })

  test(`${name}: between statements of long work, the event loop goes on`, async () => {
    const store = await (await make()).open()
    const reads = await turnsDuring(async () => {
      for (let at = 0; at < 10; at++) {
        await store.read.revision()
        holdThread()
      }
    })
    assert.ok(reads >= 9, `${reads} turns`)
    const writes = await turnsDuring(() =>
      store.write(async (writer) => {
        for (let at = 0; at < 10; at++) {
          await writer.insert(policy(`pol_${at}`, `p${at}`))
          holdThread()
        }
      }),
    )
    assert.ok(writes >= 9, `${writes} turns`)
    assert.equal((await store.read.all('policies')).length, 10)
    await store.close()
  })

  test(`${name}: a statement that waits while its transaction is undone is not done`, async () => {
    const store = await (await make()).open()
    let late: Promise<unknown> | undefined
    await assert.rejects(
      store.write(async (writer) => {
        await writer.revision()
        holdThread()
        late = writer.insert(policy('pol_1', 'one'))
        late.catch(() => {})
        throw new Error('undone')
      }),
      /undone/,
    )
    await store.write((writer) => writer.insert(policy('pol_2', 'two')))
    await late?.catch(() => {})
    assert.deepEqual(
      (await store.read.all('policies')).map(({ id }) => id),
      ['pol_2'],
    )
    await store.close()
  })

  test(`${name}: a throw and a rollback leave nothing behind`, async () => {
    const store = await (await make()).open()
    await assert.rejects(
      store.write(async (writer) => {
        await writer.insert(policy('pol_1', 'one'))
        throw new Error('after the write')
      }),
      /after the write/,
    )
    let committed = false
    const result = await store.write(
      async (writer) => {
        await writer.insert(policy('pol_1', 'one'))
        await writer.nextRevision()
        return 'seen'
      },
      {
        rollback: true,
        committed: () => {
          committed = true
        },
      },
    )
    assert.equal(result, 'seen')
    assert.equal(committed, false)
    assert.deepEqual(await store.read.all('policies'), [])
    assert.equal(await store.read.revision(), 0)
    await store.close()
  })

  test(`${name}: a statement that fails undoes its transaction alone`, async () => {
    const store = await (await make()).open()
    await store.write((writer) => writer.insert(policy('pol_1', 'one')))
    await assert.rejects(
      store.write(async (writer) => {
        await writer.insert(policy('pol_2', 'two'))
        await writer.insert(policy('pol_1', 'again'))
      }),
    )
    await assert.rejects(store.write((writer) => writer.insert(policy('pol_3', 'one'))))
    await store.write((writer) => writer.insert(policy('pol_3', 'three')))
    assert.deepEqual(
      (await store.read.all('policies')).map(({ slug }) => slug),
      ['one', 'three'],
    )
    await store.close()
  })

  test(`${name}: a transaction inside of a transaction is refused, and the next one still runs`, async () => {
    const store = await (await make()).open()
    await assert.rejects(
      store.write(() => store.write(async () => {})),
      /inside of a transaction/,
    )
    await store.write((writer) => writer.insert(policy('pol_1', 'one')))
    await store.close()
  })

  test(`${name}: what is committed is there for the next read, before a later transaction begins`, async () => {
    const store = await (await make()).open()
    const seen: string[] = []
    const first = store.write((writer) => writer.setMeta('a', '1'), {
      committed: () => void seen.push('committed'),
    })
    const second = store.write(async (writer) => {
      seen.push(`next sees ${await writer.meta('a')}`)
    })
    await first
    assert.equal(await store.read.meta('a'), '1')
    await second
    assert.deepEqual(seen, ['committed', 'next sees 1'])
    await store.close()
  })

  test(`${name}: several reads see one state, and changes wait for them`, async () => {
    const store = await (await make()).open()
    await store.write((writer) => writer.setMeta('a', '1'))
    const order: string[] = []
    const reads = store.still(
      async (reader) => {
        const before = await reader.meta('a')
        for (let turns = 0; turns < 5; turns++) await turn()
        return [before, await reader.meta('a')]
      },
      () => order.push('read'),
    )
    const change = store
      .write((writer) => writer.setMeta('a', '2'))
      .then(() => {
        order.push('changed')
      })
    assert.deepEqual(await reads, ['1', '1'])
    await change
    assert.deepEqual(order, ['read', 'changed'])
    await assert.rejects(
      store.still(() => Promise.reject(new Error('the reader failed'))),
      /the reader failed/,
    )
    assert.equal(await store.still((reader) => reader.meta('a')), '2')
    await store.close()
  })

  test(`${name}: what was written is there when the store is opened again, and a probe finds it well`, async () => {
    const place = await make()
    const first = await place.open()
    const running = first.write(async (writer) => {
      await turn()
      await writer.setMeta('a', '1')
      await writer.nextRevision()
    })
    await first.close()
    await running
    const again = await place.open()
    await again.probe()
    assert.equal(again.fault, null)
    assert.deepEqual([await again.read.meta('a'), await again.read.revision()], ['1', 1])
    await again.close()
  })
}
