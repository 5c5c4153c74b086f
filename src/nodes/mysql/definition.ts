import { z } from 'zod'
import { type NodeType, ONWARD } from '../node-type.ts'
import { addressMembers, destinationBy, LoginRef } from '../service-address.ts'
import {
  checkStatement,
  DatabaseName,
  STATEMENT_INPUTS,
  STATEMENT_MEMBERS,
  STATEMENT_OUTPUTS,
} from '../statement.ts'

const Config = z
  .strictObject({
    ...addressMembers(3306),
    credential: LoginRef,
    database: DatabaseName,
    ...STATEMENT_MEMBERS,
  })
  .check(checkStatement)

export const mysqlNode: NodeType = {
  name: 'mysql_node',
  phase: 'store',
  summary: 'Sends one statement with bound values to MySQL or MariaDB',
  config: Config,
  inputs: STATEMENT_INPUTS,
  outputs: STATEMENT_OUTPUTS,
  handles: ONWARD,
  credentials: ['basic'],
  driver: 'mysql2',
  destination: destinationBy(Config),
}
