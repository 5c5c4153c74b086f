import { sqlNode } from '../sql.ts'

export const sqlserverNode = sqlNode('sqlserver_node', 'SQL Server')
