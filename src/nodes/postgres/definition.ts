import { sqlNode } from '../sql.ts'

export const postgresNode = sqlNode('postgres_node', 'PostgreSQL')
