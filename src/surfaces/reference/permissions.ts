import { ROLES } from '../../access/principal.ts'
import { allows } from '../../access/roles.ts'
import type { Operation } from '../../operations/define.ts'
import { API_ROOT, nameOf, routeOf } from '../route.ts'

/** docs/permissions.md: which role may run which operation, where the operation is and how its fine-grained tool is called. */
export function permissionsPage(operations: readonly Operation[]): string {
  const rows = operations.map((operation) => {
    const { method, path } = routeOf(operation)
    const marks = ROLES.map((role) => (allows(role, operation.permission) ? 'yes' : '-'))
    return `| \`${nameOf(operation)}\` | \`${method} ${API_ROOT}${path}\` | ${operation.tool === null ? '-' : `\`${operation.tool}\``} | \`${operation.permission}\` | ${marks.join(' | ')} |`
  })
  return `# Permissions

A permission is a resource and a verb. What a role may do is the same over REST, Management MCP and the command line.

| operation | REST | MCP tool | permission | ${ROLES.join(' | ')} |
|---|---|---|---|${'---|'.repeat(ROLES.length)}
${rows.join('\n')}
`
}
