import { useSearch } from '@tanstack/react-router'
import { buttonClasses } from '../kit/button.tsx'
import { one } from './search.ts'

/** Before there is a session: leads to the sign-in of the server, and back to the page that was asked for. */
export function SignIn() {
  const search = useSearch({ strict: false })
  const back = one(search['return_to']) ?? '/'
  const target = `/console/login?return_to=${encodeURIComponent(`/console${back}`)}`
  const isPlain =
    location.protocol === 'http:' && !/^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(location.hostname)
  return (
    <main className="flex min-h-full flex-col items-center justify-center gap-4 p-6 text-center">
      <title>Sign in · Postern</title>
      <h1 className="text-xl font-semibold">Postern</h1>
      {isPlain ? (
        <p className="max-w-[50ch]">
          This page came over plain HTTP, so a session could be stolen on the way. Open the console over
          HTTPS, or on this machine at a loopback address.
        </p>
      ) : (
        <a href={target} className={buttonClasses('primary')}>
          Sign in
        </a>
      )}
    </main>
  )
}
