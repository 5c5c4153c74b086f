import { sqlNode } from '../sql.ts'

export const mysqlNode = sqlNode('mysql_node', 'MySQL')
