/** Request records as they are stored: each call waits on the server for the next ones. */
import { useEffect, useState } from 'react'
import { client, type Input, type Output } from '../../api/client.ts'
import { type Fault, faultOf } from '../../api/problem.ts'
import type { Search } from '../../app/search.ts'

type Followed = Output<'records.follow'>
type FollowedRecord = Followed['items'][number]

/** Kept in the page; older ones are in the list. */
const KEPT_MAX = 2000
/** How long a call waits for the next records, seconds. */
const WAIT_S = 20
/** After a failure, milliseconds. */
const AGAIN_MS = 3000

interface Following {
  /** Newest first. */
  readonly items: readonly FollowedRecord[]
  /** Records came faster than they could be followed: the list has them all. */
  readonly missed: boolean
  readonly fault: Fault | null
}

const NOTHING: Following = { items: [], missed: false, fault: null }

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

/** Follows the records that fit the filters, from now on, while `isOn`. */
export function useFollow(search: Search, isOn: boolean): Following {
  const [following, setFollowing] = useState(NOTHING)
  const filters = JSON.stringify(search)
  useEffect(() => {
    setFollowing(NOTHING)
    if (!isOn) return
    const leaving = new AbortController()
    const { signal } = leaving
    const { text: _text, order: _order, ...rest } = JSON.parse(filters) as Record<string, unknown>
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
          // What the first answer has is in the list already
          if (!isFirst && !signal.aborted)
            setFollowing((before) => ({
              items: [...body.items.toReversed(), ...before.items].slice(0, KEPT_MAX),
              missed: before.missed || body.missed,
              fault: null,
            }))
        } catch (error) {
          if (signal.aborted) return
          setFollowing((before) => ({ ...before, fault: faultOf(error) }))
          await new Promise((done) => setTimeout(done, AGAIN_MS))
        }
      }
    }
    void follow()
    return () => leaving.abort()
  }, [filters, isOn])
  return following
}
