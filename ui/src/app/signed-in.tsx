import { useEffect } from 'react'
import { Empty } from '../kit/page.tsx'

/** The end of a sign-in in another tab: the tab that waits for it goes on. */
export default function SignedIn() {
  useEffect(() => {
    const channel = new BroadcastChannel('postern-session')
    channel.postMessage('signed-in')
    channel.close()
    close()
  }, [])
  return <Empty title="You are signed in">Go back to the first tab. It still has what you had entered.</Empty>
}
