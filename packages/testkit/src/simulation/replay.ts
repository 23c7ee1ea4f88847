import { realTurn } from './loop.ts';
import type { Schedule } from './schedule.ts';
import { shrink } from './shrink.ts';
import { Simulation, type SimulationOptions, Stage } from './simulation.ts';

/** Runs one schedule to its end; its violations can be read then. */
export async function replay(schedule: Schedule, options: SimulationOptions = {}): Promise<Simulation> {
  const simulation = new Simulation(schedule, new Stage(), options);
  while (simulation.step()) await realTurn();
  return simulation;
}

/** The smallest schedule found that breaks a rule as this one does. */
export function smallest(schedule: Schedule, options: SimulationOptions = {}): Promise<Schedule> {
  return shrink(schedule, async (candidate) => (await replay(candidate, options)).violations);
}
