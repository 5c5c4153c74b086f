import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CallLine,
  END_CHARS_MAX,
  type HeldCalls,
  type Hold,
  PAYLOAD_CHARS_MAX,
} from '../../src/shared-state/ports/held-calls.ts'
import { eventually } from '../support/eventually.ts'

/** Processes, or threads, that attach to each other's calls. */
export interface HeldCallsMade {
  readonly members: readonly HeldCalls[]
  /** Ends one of them as a crash does. */
  kill(member: number): Promise<void> | void
}

/** A call that a test holds: what its owner hears, and its lines. */
function held(calls: HeldCalls) {
  const heard: string[] = []
  const lines: CallLine[] = []
  const hold: Hold = calls.hold({
    attached(payload, line) {
      const number = lines.push(line)
      heard.push(`attached ${number} ${payload}`)
      return {
        drained: () => void heard.push(`drained ${number}`),
        left: () => void heard.push(`left ${number}`),
      }
    },
  })
  return { heard, lines, hold }
}

function attached(calls: HeldCalls, id: string, payload = '') {
  const heard: string[] = []
  let isReady = false
  const say = (text: string): void => {
    assert.ok(isReady, 'told before attach had returned')
    heard.push(text)
  }
  const detach = calls.attach(id, payload, {
    message: (text) => say(`message ${text}`),
    end: (text) => say(`end ${text}`),
    lost: () => say('lost'),
  })
  isReady = true
  return { heard, detach }
}

/** What every implementation of `HeldCalls` keeps. @param make two processes */
export function testHeldCalls(
  name: string,
  make: (count: number) => HeldCallsMade | Promise<HeldCallsMade>,
): void {
  for (const [from, to] of [
    [0, 1],
    [0, 0],
  ] as const) {
    const where = from === to ? 'of its own process' : 'of another process'
    test(`${name}: an attachment to a call ${where} gives its payload once, and gets texts in order and the end`, async () => {
      const { members } = await make(2)
      const call = held(members[to]!)
      const other = attached(members[from]!, call.hold.id, 'hello')
      assert.deepEqual(other.heard, [])
      await eventually(() => call.lines.length === 1)
      assert.deepEqual(call.heard, ['attached 1 hello'])
      const [line] = call.lines
      for (const text of ['a', 'b', '', 'ü\u2028\0']) assert.equal(line!.message(text), true)
      line!.end('the end')
      assert.equal(line!.message('late'), false)
      line!.end('again')
      await eventually(() => other.heard.length >= 5)
      assert.deepEqual(other.heard, [
        'message a',
        'message b',
        'message ',
        'message ü\u2028\0',
        'end the end',
      ])
      // The call goes on, and is attached to again
      const second = attached(members[from]!, call.hold.id, '')
      await eventually(() => call.lines.length === 2)
      call.lines[1]!.end('')
      await eventually(() => second.heard.length === 1)
      assert.deepEqual([call.heard, second.heard], [['attached 1 hello', 'attached 2 '], ['end ']])
    })

    test(`${name}: whoever detaches from a call ${where} hears nothing more, and its owner learns it`, async () => {
      const { members } = await make(2)
      const call = held(members[to]!)
      const leaving = attached(members[from]!, call.hold.id)
      const staying = attached(members[from]!, call.hold.id)
      await eventually(() => call.lines.length === 2)
      leaving.detach()
      leaving.detach()
      await eventually(() => call.heard.includes('left 1'))
      assert.equal(call.lines[0]!.message('a'), false)
      call.lines[1]!.message('b')
      call.lines[1]!.end('c')
      await eventually(() => staying.heard.length === 2)
      assert.deepEqual(
        [call.heard.slice(2), leaving.heard, staying.heard],
        [['left 1'], [], ['message b', 'end c']],
      )
    })

    test(`${name}: a call ${where} that is released is lost to its attachments, and to later ones`, async () => {
      const { members } = await make(2)
      const call = held(members[to]!)
      const early = attached(members[from]!, call.hold.id)
      await eventually(() => call.lines.length === 1)
      call.lines[0]!.message('a')
      call.hold.release()
      call.hold.release()
      const late = attached(members[from]!, call.hold.id)
      await eventually(() => early.heard.length === 2 && late.heard.length === 1)
      assert.deepEqual([early.heard, late.heard], [['message a', 'lost'], ['lost']])
      assert.deepEqual(call.heard, ['attached 1 ', 'left 1'])
    })
  }

  test(`${name}: an unknown id is lost, whatever it looks like`, async () => {
    const { members } = await make(2)
    const { hold } = held(members[1]!)
    const ids = ['', 'x', `${hold.id}x`, hold.id.slice(1), `9${hold.id}`, '-1', '\0', 'a'.repeat(10_000)]
    for (const id of [...ids, hold.id.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))]) {
      const { heard } = attached(members[0]!, id)
      await eventually(
        () => heard.length > 0,
        () => id,
      )
      assert.deepEqual(heard, ['lost'], id)
    }
  })

  test(`${name}: calls of a process that ends are lost, before and after`, async () => {
    const { members, kill } = await make(2)
    const call = held(members[1]!)
    const early = attached(members[0]!, call.hold.id)
    await eventually(() => call.lines.length === 1)
    await kill(1)
    const late = attached(members[0]!, call.hold.id)
    await eventually(() => early.heard.length > 0 && late.heard.length > 0)
    assert.deepEqual([early.heard, late.heard], [['lost'], ['lost']])
  })

  test(`${name}: the owner learns that a process which attached has ended`, async () => {
    const { members, kill } = await make(2)
    const call = held(members[0]!)
    attached(members[1]!, call.hold.id)
    await eventually(() => call.lines.length === 1)
    await kill(1)
    await eventually(() => call.heard.includes('left 1'))
    assert.equal(call.lines[0]!.message('a'), false)
  })

  test(`${name}: a call that ends its line while it is attached to is told nothing more`, async () => {
    const { members } = await make(2)
    const told: string[] = []
    const { id } = members[1]!.hold({
      attached(_payload, line) {
        line.end('no')
        return { drained: () => void told.push('drained'), left: () => void told.push('left') }
      },
    })
    const { heard } = attached(members[0]!, id)
    await eventually(() => heard.length > 0)
    assert.deepEqual([heard, told], [['end no'], []])
  })

  test(`${name}: an owner that says much is told to wait, and when to go on`, async () => {
    const { members } = await make(2)
    const call = held(members[1]!)
    const other = attached(members[0]!, call.hold.id)
    await eventually(() => call.lines.length === 1)
    const [line] = call.lines
    const text = 'x'.repeat(200_000)
    let sent = 1
    while (line!.message(text)) sent++
    assert.ok(sent * text.length <= 8 * 1024 * 1024, `${sent}`)
    await eventually(() => call.heard.includes('drained 1'))
    assert.equal(other.heard.length, sent)
    assert.equal(line!.message('more'), true)
    await eventually(() => other.heard.length === sent + 1)
    assert.equal(call.heard.filter((said) => said === 'drained 1').length, 1)
  })

  test(`${name}: an owner that does not wait breaks the line off, and other lines go on`, async () => {
    const { members } = await make(2)
    const call = held(members[1]!)
    const [broken, whole] = [attached(members[0]!, call.hold.id), attached(members[0]!, call.hold.id)]
    await eventually(() => call.lines.length === 2)
    const text = 'x'.repeat(1024 * 1024)
    for (let count = 0; count < 100; count++) call.lines[0]!.message(text)
    await eventually(() => broken.heard.at(-1) === 'lost')
    assert.ok(broken.heard.length <= 64)
    assert.ok(call.heard.includes('left 1'))
    call.lines[1]!.end('good')
    await eventually(() => whole.heard.length === 1)
    assert.deepEqual(whole.heard, ['end good'])
  })

  test(`${name}: payloads and ends are whole up to their bounds; beyond, the attachment is lost`, async () => {
    const { members } = await make(2)
    const call = held(members[1]!)
    const largest = attached(members[0]!, call.hold.id, 'p'.repeat(PAYLOAD_CHARS_MAX))
    await eventually(() => call.lines.length === 1)
    assert.equal(call.heard[0]!.length, 'attached 1 '.length + PAYLOAD_CHARS_MAX)
    call.lines[0]!.end('e'.repeat(END_CHARS_MAX))
    await eventually(() => largest.heard.length === 1)
    assert.equal(largest.heard[0]!.length, 'end '.length + END_CHARS_MAX)
    const tooLarge = attached(members[0]!, call.hold.id, 'p'.repeat(PAYLOAD_CHARS_MAX + 1))
    const tooLong = attached(members[0]!, call.hold.id)
    await eventually(() => call.lines.length === 2)
    call.lines[1]!.end('e'.repeat(END_CHARS_MAX + 1))
    await eventually(() => tooLarge.heard.length === 1 && tooLong.heard.length === 1)
    assert.deepEqual([tooLarge.heard, tooLong.heard], [['lost'], ['lost']])
  })
}
