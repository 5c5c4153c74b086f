import { Check } from 'lucide-react'
import { titleOf } from '../../app/navigation.ts'
import { Card } from '../../kit/page.tsx'
import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'
import { gridOf } from './permissions.ts'

/** A role: its permissions as a grid of resources and verbs. */
export default function RoleOverview(props: PartProps) {
  const { verbs, rows } = gridOf((props.value['permissions'] ?? []) as readonly string[])
  return (
    <Overview {...props} without={['permissions']}>
      <Card title="Permissions">
        <div className="overflow-auto" tabIndex={0} role="region" aria-label="Permissions">
          <table className="border-collapse">
            <thead>
              <tr className="text-sm text-muted">
                <th scope="col" className="pr-4 pb-1 text-left font-medium">
                  Resource
                </th>
                {verbs.map((verb) => (
                  <th key={verb} scope="col" className="px-2 pb-1 font-medium">
                    {verb.replaceAll('_', ' ')}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.resource} className="border-t border-line">
                  <th scope="row" className="py-1 pr-4 text-left font-normal whitespace-nowrap">
                    {titleOf(row.resource)}
                  </th>
                  {verbs.map((verb) => (
                    <td key={verb} className="px-2 text-center">
                      {row.verbs.has(verb) ? (
                        <Check size={16} aria-label="yes" className="inline text-ok" />
                      ) : (
                        <span className="sr-only">no</span>
                      )}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
    </Overview>
  )
}
