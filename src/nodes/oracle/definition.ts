import { sqlNode } from '../sql.ts'

export const oracleNode = sqlNode('oracle_node', 'Oracle')
