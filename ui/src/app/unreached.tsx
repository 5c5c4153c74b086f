import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState, useSyncExternalStore } from 'react'
import { onReach, reachNow } from '../api/reach.ts'
import { isSignedIn } from '../api/session.ts'
import { Button } from '../kit/button.tsx'
import { Status } from '../kit/status.tsx'
import { Time } from '../kit/time.tsx'

/** Postern is asked again this often, milliseconds. */
const AGAIN_MS = 3000

/** While Postern does not answer: how old the page is. It is brought up to date by the first answer. */
export function Unreached() {
  const { isReached, lastAnswer } = useSyncExternalStore(onReach, reachNow)
  return isReached ? null : <Bar since={lastAnswer} />
}

function Bar({ since }: { since: number }) {
  const queries = useQueryClient()
  const [isAsking, setAsking] = useState(false)
  const ask = async (): Promise<void> => {
    setAsking(true)
    try {
      await isSignedIn()
      await queries.refetchQueries({ type: 'active' })
    } catch {
      // The bar stays
    }
    setAsking(false)
  }
  useEffect(() => {
    const timer = setInterval(() => void ask(), AGAIN_MS)
    return () => clearInterval(timer)
  }, [])
  return (
    <div
      role="status"
      className="fixed inset-x-4 bottom-4 z-50 mx-auto flex w-fit flex-wrap items-center gap-x-3 gap-y-1 rounded-md bg-warn-soft px-4 py-2 shadow-float"
    >
      <Status state="warn">Postern does not answer</Status>
      <span>
        You see what was known <Time value={new Date(since).toISOString()} />.
      </span>
      <Button isSmall isBusy={isAsking} onClick={() => void ask()}>
        Try again
      </Button>
    </div>
  )
}
