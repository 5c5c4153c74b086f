import { statementRun } from '../statement-run.ts'

export const postgresRun = statementRun('postgres', String)
