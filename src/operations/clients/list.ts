import { listOf } from '../crud.ts'
import { clientKind } from './kind.ts'

export const listClients = listOf(clientKind)
