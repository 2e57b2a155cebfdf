import { DRAIN_SCENARIOS } from './drain-scenarios.ts';
import { testScenarios } from './scenario-tests.ts';

testScenarios(DRAIN_SCENARIOS);
