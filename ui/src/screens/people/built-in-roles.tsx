import { Card } from '../../kit/page.tsx'
import { BUILT_IN_ROLES } from './built-in-roles.ts'

/** The roles that are always there, above those that people have made. */
export default function BuiltInRoles() {
  return (
    <Card title="Built-in roles" className="shrink-0">
      <dl className="grid grid-cols-1 gap-x-4 gap-y-1 sm:grid-cols-[100px_minmax(0,1fr)]">
        {BUILT_IN_ROLES.map(({ role, about }) => (
          <div key={role} className="contents">
            <dt>
              <code>{role}</code>
            </dt>
            <dd className="text-muted">{about}</dd>
          </div>
        ))}
      </dl>
    </Card>
  )
}
