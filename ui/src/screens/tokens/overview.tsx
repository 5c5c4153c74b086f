import { Card } from '../../kit/page.tsx'
import { Time } from '../../kit/text.tsx'
import type { PartProps } from '../hand-made.ts'
import { Facts, Overview, ResourceLink } from '../resources/overview.tsx'

/** A personal token: whose it is, what it may do, and how long it lasts. */
export default function TokenOverview(props: PartProps) {
  const { user, grants, expires_at: ends, last_used_at: used } = props.value
  const limits = Array.isArray(grants) ? grants : []
  return (
    <Overview {...props} without={['user', 'grants', 'expires_at', 'last_used_at']}>
      <Card title="The token">
        <Facts
          facts={[
            ['Acts as', <ResourceLink key="" resource="users" id={String(user)} />],
            [
              'Permissions',
              limits.length === 0 ? (
                `All permissions of ${String(user)}`
              ) : (
                <ul>
                  {limits.map((grant) => (
                    <li key={String(grant)}>
                      <code className="break-all">{String(grant)}</code>
                    </li>
                  ))}
                </ul>
              ),
            ],
            ['Ends', <Time key="" value={String(ends)} />],
            ['Last used', typeof used === 'string' ? <Time value={used} /> : 'Never'],
          ]}
        />
      </Card>
    </Overview>
  )
}
