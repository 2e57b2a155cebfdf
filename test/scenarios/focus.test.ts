import { FOCUS_SCENARIOS } from './focus-scenarios.ts';
import { testScenarios } from './scenario-tests.ts';

testScenarios(FOCUS_SCENARIOS);
