import { Link } from '@tanstack/react-router'
import { Page } from '../kit/page.tsx'

export function NotFound() {
  return (
    <Page name="No such page" title="There is no such page">
      <p>The address may be mistyped, or the resource was deleted.</p>
      <p>
        <Link to="/" className="text-accent underline">
          Go to Home
        </Link>
      </p>
    </Page>
  )
}
