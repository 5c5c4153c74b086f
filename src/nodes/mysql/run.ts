import { statementRun } from '../statement-run.ts'

/** Truth values are numbers there. */
export const mysqlRun = statementRun('mysql', (value) => (value ? '1' : '0'))
