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
    ...addressMembers(5432),
    credential: LoginRef,
    database: DatabaseName,
    ...STATEMENT_MEMBERS,
  })
  .check(checkStatement)

export const postgresNode: NodeType = {
  name: 'postgres_node',
  phase: 'store',
  summary: 'Sends one statement with bound values to PostgreSQL',
  config: Config,
  inputs: STATEMENT_INPUTS,
  outputs: STATEMENT_OUTPUTS,
  handles: ONWARD,
  credentials: ['basic'],
  driver: 'pg',
  destination: destinationBy(Config),
}
