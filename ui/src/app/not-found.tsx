import { Link } from '@tanstack/react-router'
import { Empty } from '../kit/states.tsx'

export function NotFound() {
  return (
    <Empty
      title="There is no such page"
      action={
        <Link to="/" className="text-accent underline">
          Go to the overview
        </Link>
      }
    >
      The address may be mistyped, or the resource was deleted.
    </Empty>
  )
}
