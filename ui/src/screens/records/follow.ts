/** Request records as they are stored: each call waits on the server for the next ones. */
import { useEffect, useRef, useState } from 'react'
import { client, type Input } from '../../api/client.ts'
import { type Fault, faultOf } from '../../api/problem.ts'
import type { Search } from '../../app/search.ts'
import type { CallRecord } from './sentence.ts'
import { EMPTY_TAIL, paused, received, resumed, type Tail } from './tail.ts'

/** How long a call waits for the next records, seconds. */
const WAIT_S = 20
/** After a failure, milliseconds. */
const AGAIN_MS = 3000

interface Following {
  readonly tail: Tail<CallRecord>
  readonly fault: Fault | null
  readonly pause: () => void
  readonly resume: () => void
}

/** Resolves when the tab is in view: a hidden one asks for nothing. */
function inView(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve()
  return new Promise((done) => {
    const look = (): void => {
      if (!document.hidden || signal.aborted) done()
    }
    document.addEventListener('visibilitychange', look, { signal })
    signal.addEventListener('abort', () => done(), { once: true })
  })
}

/**
 * Follows the records that fit the filters, from now on, while `isOn`.
 * @param onStart told once the first answer has come: what was stored before it is in the list
 */
export function useFollow(filters: Search, isOn: boolean, onStart: () => void): Following {
  const start = useRef(onStart)
  start.current = onStart
  const [tail, setTail] = useState<Tail<CallRecord>>(EMPTY_TAIL)
  const [fault, setFault] = useState<Fault | null>(null)
  const asked = JSON.stringify(filters)
  useEffect(() => {
    setTail(EMPTY_TAIL)
    setFault(null)
    if (!isOn) return
    const leaving = new AbortController()
    const { signal } = leaving
    const { from: _from, to: _to, order: _order, ...rest } = JSON.parse(asked) as Record<string, unknown>
    const follow = async (): Promise<void> => {
      let cursor: string | undefined
      while (!signal.aborted) {
        await inView(signal)
        try {
          const wait = cursor === undefined ? 0 : WAIT_S
          const input = { ...rest, wait, ...(cursor !== undefined && { cursor }) } as Input<'records.follow'>
          const { body } = await client.call('records.follow', input, { signal })
          const isFirst = cursor === undefined
          cursor = body.next_cursor
          if (signal.aborted) return
          setFault(null)
          if (isFirst) start.current()
          else setTail((before) => received(before, body.items, body.missed))
        } catch (error) {
          if (signal.aborted) return
          setFault(faultOf(error))
          await new Promise((done) => setTimeout(done, AGAIN_MS))
        }
      }
    }
    void follow()
    return () => leaving.abort()
  }, [asked, isOn])
  return { tail, fault, pause: () => setTail(paused), resume: () => setTail(resumed) }
}
