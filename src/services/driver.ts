import { type DriverName, isDriverInstalled, loadDriver as load, missingDriver } from '../base/drivers.ts'
import { ServiceFailure } from './socket.ts'

/** Loads a driver with its first use. @throws ServiceFailure where it is not installed */
export async function loadDriver(name: DriverName): Promise<unknown> {
  if (!isDriverInstalled(name)) throw new ServiceFailure('driver', missingDriver(name))
  return load(name)
}
